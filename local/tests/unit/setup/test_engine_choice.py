"""Which engine is taken, and what is said when there is none."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from local import engine
from local.engine import candidates, fits, parse_version, text
from local.errors import LocalError

if TYPE_CHECKING:
    from pathlib import Path


def fake_pulumi(folder: Path, says: str) -> None:
    """Put a program named pulumi into a folder."""
    folder.mkdir(parents=True)
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)


def environ(tmp_path: Path) -> dict[str, str]:
    """Make an environment whose PATH and cache are in `tmp_path`."""
    return {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_versions_are_tried_downward() -> None:
    """The preferred version comes first, the oldest one that is known to work last."""
    order = candidates()
    assert order[0] == engine.PREFERRED
    assert order[-1] == engine.OLDEST
    assert list(order) == sorted(order, reverse=True)


@pytest.mark.parametrize(
    ("output", "good"),
    [("v3.259.0\n", True), ("3.274.1-alpha.1", True), ("v3.249.9", False), ("v4.0.0", False)],
)
def test_which_versions_fit(output: str, good: bool) -> None:  # noqa: FBT001 - a case
    """Major version 3, not older than the oldest one that is known to work."""
    assert fits(parse_version(output)) is good


def test_what_is_no_version_is_named() -> None:
    """The message shows what was printed instead."""
    with pytest.raises(
        LocalError, match=r"printed 'command not found', which is no version\. Repair the pulumi on PATH"
    ):
        parse_version("command not found\n")


def test_the_pulumi_on_path_comes_first(tmp_path: Path) -> None:
    """A fitting pulumi on PATH is taken without a word."""
    fake_pulumi(tmp_path / "bin", "v3.274.1")
    said: list[str] = []
    found = engine.prepare(said.append, environ(tmp_path))
    assert (found.binary, found.version, said) == (tmp_path / "bin" / "pulumi", "3.274.1", [])


def test_an_old_pulumi_is_passed_over(tmp_path: Path) -> None:
    """An old pulumi on PATH is named, and the one in the cache folder is taken."""
    fake_pulumi(tmp_path / "bin", "v3.1.0")
    version = text(candidates()[3])
    fake_pulumi(tmp_path / "cache" / "overtime" / "engine" / version / "bin", f"v{version}")
    said: list[str] = []
    found = engine.prepare(said.append, environ(tmp_path))
    assert found.version == version
    assert found.folder == tmp_path / "cache" / "overtime" / "engine" / version / "bin"
    assert said == ["engine: pulumi 3.1.0 on PATH is not 3.250.0 or newer (major version 3): not used"]


def test_without_go_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pulumi, no download, no Go: the message names both ways out."""
    monkeypatch.setattr(engine, "succeeds", lambda *_args, **_options: False)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    expected = r"building it needs Go, which is not on PATH\. Install pulumi 3\.250\.0 or newer \(https.*\), or Go"
    with pytest.raises(LocalError, match=expected):
        engine.prepare(lambda _line: None, environ(tmp_path))


def test_a_proxy_that_serves_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every version is asked for, each refusal is said, and the error names the range."""
    monkeypatch.setattr(engine, "succeeds", lambda *_args, **_options: False)
    monkeypatch.setattr(shutil, "which", lambda name, **_options: "/go" if name == "go" else None)
    said: list[str] = []
    with pytest.raises(
        LocalError, match=r"serves none of pulumi 3\.259\.0 down to 3\.250\.0\. Can this machine reach it"
    ):
        engine.prepare(said.append, environ(tmp_path))
    assert len([line for line in said if "does not serve" in line]) == len(candidates())
    assert not list((tmp_path / "cache" / "overtime" / "engine").glob("new-*"))
