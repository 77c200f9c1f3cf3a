"""The recipe of the image, as far as it can be told without building it: what is copied, and what is checked."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.provider.docker_build.context import context_files
from overtime.components.runner_image import image_files
from tests.unit.runner.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = (ROOT / "runner" / "Dockerfile").read_text().replace("\\\n", " ").replace("${PACKAGE}", "overtime")
PLACE = "/usr/lib/overtime"
# (sources, target) of each COPY.
COPIES = [
    (words[:-1], words[-1].removeprefix(PLACE))
    for words in (line.split()[1:] for line in DOCKERFILE.splitlines() if line.startswith("COPY "))
]
IMPORT_CHECK = re.search(r'python3 (-I -S) -c\s+"([^"]*import overtime.runner[^"]*)"', DOCKERFILE)
BASE_CHECKS = DOCKERFILE.partition("\nRUN ")[2].partition(" && python3 -I -S -m compileall")[0]


def staged(folder: Path) -> Path:
    """Copy what the Dockerfile copies to where it copies it."""
    for sources, target in COPIES:
        place = folder / target.strip("/")
        place.mkdir(parents=True, exist_ok=True)
        for source in sources:
            for file in ROOT.glob(source):
                shutil.copy(file, place)
    return folder


def imported(folder: Path, first: str = "") -> subprocess.CompletedProcess[str]:
    """Make the import that the image's build makes."""
    assert IMPORT_CHECK is not None, "the build does not import the program"
    options, code = IMPORT_CHECK.groups()
    command = [sys.executable, *options.split(), "-B", "-c", first + code.replace(PLACE, str(folder))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    """A file that is sent and not copied would be a change that changes nothing; what is not sent fails the build."""
    copied = {
        file.relative_to(ROOT).as_posix() for sources, _ in COPIES for name in sources for file in ROOT.glob(name)
    }
    assert set(context_files(ROOT, ROOT / "runner" / "Dockerfile")) == copied


def test_the_tag_counts_every_file_that_the_build_sees() -> None:
    """The tag (overtime.components.runner_image) and the context agree on what the image is made of."""
    seen = context_files(ROOT, ROOT / "runner" / "Dockerfile")
    assert {name for name in image_files() if name.endswith(".py")} == set(seen)


def test_every_source_is_there() -> None:
    """A file that was renamed is missed here and not in the build."""
    assert [name for sources, _ in COPIES for name in sources if not [*ROOT.glob(name)]] == []


def test_the_program_in_the_image_can_be_imported(tmp_path: Path) -> None:
    """What is copied is enough, without site-packages: the build's own check passes."""
    checked = imported(staged(tmp_path))
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("gone", ["contract/task_requests.py", "errors.py", "runner/outcome.py"])
def test_a_file_that_is_not_in_the_image_fails_its_build(tmp_path: Path, gone: str) -> None:
    (staged(tmp_path) / "overtime" / gone).unlink()
    assert re.search("ModuleNotFoundError|ImportError", imported(tmp_path).stderr)


@pytest.mark.parametrize(
    ("python", "text"),
    [
        (None, "needs Python 3.11 or newer as python3. This base image has: "),
        ('[ "$1" = -V ] && echo Python 3.10.4; exit 1', "This base image has: Python 3.10.4"),
        ('[ "$1" = -I ]', "has no Lambda runtime client: neither /var/runtime/bootstrap.py nor the Python package"),
        ("exit 0", ""),
    ],
)
def test_a_base_image_that_will_not_do_fails_the_build_and_the_message_names_the_cause(
    tmp_path: Path, python: str | None, text: str
) -> None:
    if python is not None:
        (tmp_path / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (tmp_path / "python3").chmod(0o755)
    command = ["/bin/sh", "-c", BASE_CHECKS]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, text in done.stderr) == (1 if text else 0, True)


def test_everything_is_done_as_root_and_the_runner_is_not() -> None:
    """Whatever user the base image ends with."""
    steps = [line for line in DOCKERFILE.splitlines() if line.startswith(("FROM ", "USER ", "COPY ", "RUN "))]
    assert (steps[1], steps[-1]) == ("USER root", "USER 993:990")
    assert [line for line in steps if line.startswith("USER ")] == ["USER root", "USER 993:990"]


@pytest.mark.parametrize(
    ("line", "there"),
    [
        ("sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin", True),
        ("nobody:x:65534:993:nobody:/:/sbin/nologin", False),
        ("a:993:1000:1000::/:/bin/sh", False),
        ("a:x:1993:990::/:/bin/sh", False),
    ],
)
def test_the_handlers_user_is_looked_for_by_its_number(line: str, there: bool) -> None:  # noqa: FBT001
    """A group or a password that happens to be 993 is no user."""
    found = re.search(r"grep -q '([^']*)' /etc/passwd", DOCKERFILE)
    assert found is not None
    assert subprocess.run(["/usr/bin/env", "grep", "-q", found[1]], input=line, text=True, check=False).returncode == (
        0 if there else 1
    )
