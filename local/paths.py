"""Where the local stack keeps what is costly to make, and how two processes keep out of each other's way there."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REPOSITORY = Path(__file__).resolve().parent.parent
ROOTS_RUN_FOLDER = Path("/run/overtime")
"""A socket's path may have 107 characters: too few for some cache folders."""


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Name the user's cache folder for overtime, as the XDG base directory specification places it.

    Raises:
        LocalError: neither the environment nor the list of users names a home.

    """
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path in the variable is invalid and to be ignored.
    if Path(base).is_absolute():
        return Path(base) / "overtime"
    try:
        home = Path(environ.get("HOME") or "~").expanduser()
    except RuntimeError as error:
        raise LocalError(
            f"HOME is not set and user id {os.geteuid()} has no home, so nothing that takes minutes to build could be "
            "kept. Set XDG_CACHE_HOME to a folder that you can write to."
        ) from error
    return home / ".cache" / "overtime"


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


def run_folder(environ: Mapping[str, str], *, user_id: int | None = None) -> Path:
    """Name the folder for sockets and the like: `/run/overtime` for root, else one that is the user's alone."""
    user_id = os.geteuid() if user_id is None else user_id
    if user_id == 0:
        return ROOTS_RUN_FOLDER
    own = environ.get("XDG_RUNTIME_DIR", "")
    if Path(own).is_absolute() and _is_of(Path(own), user_id):
        return Path(own) / "overtime"
    return Path(tempfile.gettempdir()) / f"overtime-{user_id}"


def make_run_folder(folder: Path) -> Path:
    """Make a folder for sockets, closed to all others, and return it.

    Raises:
        LocalError: it cannot be made, or somebody else made it and could put another socket there.

    """
    for each in (folder.parent, folder):
        try:
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LocalError(
                f"The folder {str(each)!r} cannot be made ({error.strerror}); the container engine's socket goes "
                "there. Set XDG_RUNTIME_DIR to a folder of your own."
            ) from error
        if not _is_of(each, os.geteuid()) or stat.S_IMODE(each.stat().st_mode) & 0o022:
            raise LocalError(
                f"The folder {str(each)!r} is not yours alone, so whoever can write there could listen in place of the "
                "container engine. Remove it, or set XDG_RUNTIME_DIR to a folder of your own."
            )
    return folder


def _is_of(folder: Path, user_id: int) -> bool:
    """Say whether this is a folder, not a link to one, of this user."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user_id


@contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold an exclusive lock on `path` (a folder, or a file that is made if missing).

    A second process waits here until the first is done; `waiting` is called before that.

    Raises:
        LocalError: the file cannot be opened, as where another user made it.

    """
    try:
        file = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise LocalError(
            f"The lock {str(path)!r} cannot be opened ({error.strerror}), so two set-ups could disturb each other. "
            "If another user, such as root, made it, give it back to yourself with chown, or remove it."
        ) from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
