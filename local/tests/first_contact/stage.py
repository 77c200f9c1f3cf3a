"""A computer as a new user meets it: checkout, home and PATH of a plain user's own; commands are timed and shown."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local import base_images, paths
from local.engine import PREFERRED, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

USER = 65534
"""`nobody`, of Debian and most others."""
TOOLS = ("bash", "sh", "make", "dirname", "env", "docker", "tar", "curl", "go")
PARTS = ("Makefile", "requirements.lock", "local", "overtime")
BOUND_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a command said, and how it ended."""

    text: str
    status: int


class Stage:
    """Everything lies in `folder`, which all can read; what the user owns is the user's."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder, self.home, self.checkout, self.bin = (
            folder,
            folder / "home",
            folder / "my checkout",
            folder / "bin",
        )
        self.python = python
        folder.chmod(0o755)
        for each in (self.home, self.checkout, self.bin):
            each.mkdir()
        for part in PARTS:
            source = paths.REPOSITORY / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, self.checkout / part)
        self.tools(TOOLS)
        (self.bin / "python3").symlink_to(python)
        self.give(self.home, self.checkout)

    def tools(self, names: Iterable[str]) -> None:
        """Put programs of this computer on the user's PATH; those that are not here are left out."""
        for name in names:
            if (found := shutil.which(name)) and not (self.bin / name).exists():
                (self.bin / name).symlink_to(found)

    def without(self, *names: str) -> None:
        """Take programs off PATH."""
        for name in names:
            (self.bin / name).unlink(missing_ok=True)

    def program(self, name: str, script: str) -> None:
        """Put a program on PATH in place of the real one."""
        self.without(name)
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (self.bin / name).chmod(0o755)

    def give(self, *folders: Path) -> None:
        """Make everything in these folders the user's."""
        for folder in folders:
            for each in (folder, *folder.rglob("*")):
                os.chown(each, USER, USER, follow_symlinks=False)

    def warm(self, *parts: str) -> None:
        """Make these look as after a set-up: `packages`, `engine`, `image`."""
        cache = self.home / ".cache" / "overtime"
        if "packages" in parts:
            (self.checkout / ".venv" / "bin").mkdir(parents=True)
            (self.checkout / ".venv" / "bin" / "python").symlink_to(self.bin / "python3")
            (self.checkout / ".venv" / ".ready").touch()
        if "engine" in parts:
            (cache / "engine" / text(PREFERRED) / "bin").mkdir(parents=True)
            (cache / "engine" / text(PREFERRED) / "bin" / "pulumi").touch(mode=0o755)
        if "image" in parts:
            (cache / "base-image").mkdir(parents=True)
            base_images.kept_file(cache).touch()
        self.give(self.home, self.checkout)

    def command(self, *command: str, user: int | None = USER, online: bool = False) -> list[str]:
        """Give the command as this user (None: as root that may not mount), by default with no network at all."""
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        if user is None:
            who = ["setpriv", "--bounding-set=-sys_admin"]
        words = [*(() if online else ("unshare", "--net", "--")), *who, *command]
        # Not on the user's PATH.
        return [shutil.which(word) or word if word in {"unshare", "setpriv"} else word for word in words]

    def environment(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        """Give the user's environment; None removes a variable."""
        plain = {"HOME": str(self.home), "PATH": str(self.bin), "PYTHONDONTWRITEBYTECODE": "1"}
        return {name: value for name, value in {**plain, **changes}.items() if value is not None}

    def make(self, target: str, *, user: int | None = USER, online: bool = False, **variables: str | None) -> Told:
        """Run `make <target>`, and show what it says and how long it takes."""
        began = time.monotonic()
        done = subprocess.run(
            self.command(str(self.bin / "make"), "--no-print-directory", target, user=user, online=online),
            cwd=self.checkout,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=BOUND_SECONDS,
        )
        seconds = time.monotonic() - began
        name = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[2].partition(" ")[0]
        sys.stdout.write(f"\n==== {name}: `make {target}`, {seconds:.1f} s, status {done.returncode}\n{done.stdout}")
        return Told(text=done.stdout, status=done.returncode)
