"""Debian packages that are missing on this computer, installed where that is possible."""

from __future__ import annotations

import os
import shutil

from local.process import run

SECONDS = 900


def available() -> bool:
    """Say whether packages can be installed: as root, with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: list[str], *, because: str) -> None:
    """Install packages, with nothing that is merely recommended.

    Raises:
        LocalError: apt-get failed; `because` ends the text.

    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], because=because, timeout_seconds=SECONDS, env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    run(command, because=because, timeout_seconds=SECONDS, env=environment)
