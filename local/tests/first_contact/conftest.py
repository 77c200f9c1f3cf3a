"""A plain user, on a computer where the tests' user is root: only root can be somebody else for a moment."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.tests.first_contact.stage import USER, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3")


@pytest.fixture(scope="session")
def python() -> str:
    """Find a Python that another user may run as well, and that can make virtual environments."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user for a moment (setpriv, unshare)")
    if missing := [each for each in ("setpriv", "unshare", "make") if shutil.which(each) is None]:
        pytest.skip(f"not installed: {missing}")
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this root may not make a network of its own (unshare --net)")
    fits = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
    who = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    for each in PYTHONS:
        if Path(each).exists() and not subprocess.run([*who, each, "-c", fits], check=False).returncode:
            return each
    pytest.skip(f"none of {PYTHONS} is Python 3.11 or newer with venv, for all users")


@pytest.fixture
def stage(python: str) -> Iterator[Stage]:
    """Give a stage whose paths are short, as those of sockets must be, and open to the user."""
    with tempfile.TemporaryDirectory(prefix="overtime-contact-") as folder:
        yield Stage(Path(folder), python)


@pytest.fixture
def small(stage: Stage) -> Iterator[Path]:
    """Give a file system of 64 MB on which no program may run; the user owns it."""
    folder = stage.folder / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=64m,noexec,uid={USER},gid={USER}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this root may not mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
