"""Debian packages that are missing on this computer, installed where that is possible."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from local.process import follow

if TYPE_CHECKING:
    from local.process import Say

SECONDS = 900


def available() -> bool:
    """Say whether packages can be installed: as root, with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: list[str], say: Say, *, because: str) -> None:
    """Install packages, with nothing that is merely recommended.

    Raises:
        LocalError: apt-get failed; `because` ends the text.

    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    follow(["apt-get", "update", "-q"], say, because=because, timeout_seconds=SECONDS, env=environment)
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    follow(command, say, because=because, timeout_seconds=SECONDS, env=environment)
