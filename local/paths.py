"""Where the local stack keeps what is costly to make, and how two processes keep out of each other's way there."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPOSITORY = Path(__file__).resolve().parent.parent


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Name the user's cache folder for overtime, as the XDG base directory specification places it."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path in the variable is invalid and to be ignored.
    root = Path(base) if Path(base).is_absolute() else Path(environ.get("HOME") or "~").expanduser() / ".cache"
    return root / "overtime"


def make_cache_folder(*names: str, environ: Mapping[str, str] | None = None) -> Path:
    """Make a folder inside the cache folder and return it.

    Raises:
        LocalError: it cannot be made.

    """
    folder = cache_folder(environ).joinpath(*names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalError(
            f"The cache folder {str(folder)!r} cannot be made ({error.strerror}), so nothing that takes minutes "
            "to build could be kept. Set XDG_CACHE_HOME to a folder that you can write to."
        ) from error
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` (made if missing); a second process waits here until the first is done."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
