"""What set-ups that were killed leave behind, removed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from local.process import succeeds

MOUNTS = Path("/proc/self/mountinfo")


def remove(folder: Path) -> None:
    """Remove a folder and all in it, but nothing of file systems that are mounted in it (debootstrap mounts /proc)."""
    for point in mounted_below(folder, MOUNTS.read_text(encoding="utf-8") if MOUNTS.exists() else ""):
        if not succeeds(["umount", point]):
            return
    shutil.rmtree(folder, ignore_errors=True)


def mounted_below(folder: Path, mountinfo: str) -> list[str]:
    """List the mount points in `folder`, the deepest first, as proc_pid_mountinfo(5) writes them."""
    written = [line.split()[4] for line in mountinfo.splitlines()]
    points = [re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point) for point in written]
    below = f"{folder.resolve()}/"
    return sorted((point for point in points if point.startswith(below)), reverse=True)
