"""What a wheel of this project puts into site-packages, and what it says that it needs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from local.provider.docker_build.context import context_files
from overtime.components import lambda_archive, runner_image

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DATA = {
    "overtime/lambdas/requirements.lock",
    "overtime/py.typed",
    "overtime/runner/Dockerfile",
    "overtime/runner/Dockerfile.dockerignore",
}
SAMPLE = "overtime/lambdas/primary/"
PARTS = ("dispatcher", "watcher")
ARTEFACTS = """
import json, overtime
from overtime.components import archives, lambda_archive, runner_image
print(json.dumps({
    "sources": str(archives.SOURCES),
    "tag": runner_image.content_tag("base", "python", "x86_64"),
    "archives": [sorted(lambda_archive.members(part)) for part in ("dispatcher", "watcher")],
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Build it, with the backend of this environment: no network is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [file] = folder.glob("*.whl")
    with zipfile.ZipFile(file) as opened:
        yield opened


def modules() -> set[str]:
    """List our modules, through the links, without the sample function."""
    folders = [path for path in (ROOT / "overtime").iterdir() if path.is_dir()]
    files = [*(ROOT / "overtime").glob("*.py"), *(file for folder in folders for file in folder.rglob("*.py"))]
    return {name for file in files if not (name := file.relative_to(ROOT).as_posix()).startswith(SAMPLE)}


def test_one_name_at_the_top(wheel: zipfile.ZipFile) -> None:
    """`components`, `lambdas` and `runner` are names that people's own programs have."""
    tops = {PurePosixPath(name).parts[0] for name in wheel.namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"overtime"}


def test_every_module_and_what_it_reads(wheel: zipfile.ZipFile) -> None:
    """Besides modules, what the image is built with, and the versions of the archives; no tests, no local stack."""
    assert {name for name in wheel.namelist() if name.startswith("overtime/")} == modules() | DATA


def test_it_pins_what_the_archives_are_made_of(wheel: zipfile.ZipFile) -> None:
    """Dispatcher's and watcher's archives take the locked versions only, from where the wheel is installed."""
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(wheel.read(name).decode())
    lock = (ROOT / "lambdas" / "requirements.lock").read_text(encoding="utf-8")
    locked = re.findall(r"^\S+==[^\s\\]+", lock, flags=re.MULTILINE)
    assert len(locked) == 3
    assert set(locked) <= set(metadata.get_all("Requires-Dist") or [])


def test_an_installed_one_deploys_what_a_clone_does(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """The image of the same content, from a folder without anything else; the archives with the same members."""
    wheel.extractall(tmp_path)
    command = [sys.executable, "-c", ARTEFACTS]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path, capture_output=True, check=True)

    installed = tmp_path / "overtime"
    assert json.loads(done.stdout) == {
        "sources": str(installed),
        "tag": runner_image.content_tag("base", "python", "x86_64"),
        "archives": [sorted(lambda_archive.members(part)) for part in PARTS],
    }
    sent = context_files(installed, installed / runner_image.DOCKERFILE)
    recipe = {runner_image.DOCKERFILE, f"{runner_image.DOCKERFILE}.dockerignore"}
    assert set(sent) == {name.removeprefix("overtime/") for name in runner_image.image_files()} - recipe
