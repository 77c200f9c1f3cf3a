"""Whether .venv has what requirements.lock names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def are_ready(project: Path) -> bool:
    """Say whether the packages were installed since the lock last changed, by the rule that the Makefile has, too."""
    ready, lock = project / ".venv" / ".ready", project / "requirements.lock"
    return ready.exists() and ready.stat().st_mtime >= lock.stat().st_mtime
