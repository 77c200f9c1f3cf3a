"""Folders that the set-up writes to: looked at, without making any."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

from local.checks.facts import Folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def look(path: Path, below: Iterable[str] = ()) -> Folder:
    """Say whether this user can write `path` and what is there of `below`; for a folder that is missing, its parent."""
    existing = path
    # Also past what this user may not look into, and past a file where a folder should be.
    while not existing.is_dir() and existing != existing.parent and not existing.is_file():
        existing = existing.parent
    entries = (existing, *(path / name for name in below if (path / name).exists()))
    blocked = next((each for each in entries if not _writable(each)), None)
    space = os.statvfs(existing)
    return Folder(
        path=str(path),
        blocked_at=str(blocked or ""),
        owner=_owner(blocked) if blocked else "",
        device=existing.stat().st_dev,
        free_bytes=space.f_bavail * space.f_frsize,
        # Only Linux tells. Where nobody does, nothing speaks against it.
        may_execute=not space.f_flag & getattr(os, "ST_NOEXEC", 0),
    )


def _writable(path: Path) -> bool:
    if path.is_dir():
        return os.access(path, os.W_OK | os.X_OK)
    # A lock, at the end of a path; anything else in a folder's place is in the way.
    return path.name == "lock" and os.access(path, os.W_OK)


def _owner(path: Path) -> str:
    """Name whose it is, where it is not this user's."""
    uid = path.stat().st_uid
    if uid == os.geteuid():
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"
