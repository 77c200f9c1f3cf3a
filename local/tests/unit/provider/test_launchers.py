from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from local import provider

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("package", ["aws", "awsx", "docker-build"])
def test_each_plugin_is_started_by_the_name_that_the_engine_looks_for(package: str, tmp_path: Path) -> None:
    """From any folder, and without the engine it says what it is."""
    folder = provider.install(tmp_path / "plugins")
    (tmp_path / "local").mkdir()
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        [f"pulumi-resource-{package}"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "This is a Pulumi plugin" in done.stderr


def test_installing_twice_changes_nothing(tmp_path: Path) -> None:
    provider.install(tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    provider.install(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before
    assert set(before) == {f"pulumi-resource-{package}" for package in ("aws", "awsx", "docker-build")}
