"""Unpacks a function's code or a layer into its folder, as Lambda does, and never outside of it."""

# ruff: noqa: PTH101, PTH102, PTH106, PTH108, PTH112, PTH208, PTH211 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import os
import threading

from overtime.runner.archive import ArchiveError, Member, content, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Made = TypeVar("Made")

_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
_OWNER_ALL = 0o700
_WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_LONGEST_LINK = 4096
_SHARE = 64
"""The number of files that justifies another thread."""


def unpack(data: memoryview, root: str) -> int:
    """Write every member below `root`, replacing what exists (a later layer shadows an earlier one); return the count.

    A file or a link replaces a folder with all its content, and a folder replaces a file or a link. One exception: a
    link to a folder stays if a folder is to be created there.

    Links are written unchanged, wherever they point, as Lambda does, but nothing is ever written through a link that
    leads out of `root`. Raise ArchiveError for a bad archive, OSError for an error of the file system.
    """
    found = members(data)
    folders, others = _planned(found)
    umask = os.umask(0)
    os.umask(umask)
    target = _Target(os.path.realpath(root), umask)
    for path, mode in folders.items():
        target.folder(path, mode)
    files = [(path, member) for path, member in others.items() if not member.is_link]
    _shared_out(lambda part: target.files(data, part), files)
    # Links come last, so that no file of the same archive is written through one.
    for path, member in others.items():
        if member.is_link:
            target.link(data, path, member)
    return len(found)


def _planned(found: list[Member]) -> tuple[dict[str, int | None], dict[str, Member]]:
    """Return the folders with their modes, parents first, and the other members, all by path.

    A later member replaces an earlier one with the same path: a file replaces a folder with all its content, a folder
    replaces a file or a link.
    """
    folders: dict[str, int | None] = {}
    others: dict[str, Member] = {}
    for member in found:
        path = relative(member.name)
        if not path and not member.is_folder:
            raise ArchiveError(f"member {member.name!r} has no file name")
        for folder in _above(path if member.is_folder else path.rpartition("/")[0], folders):
            folders[folder] = None
            others.pop(folder, None)
        if not member.is_folder:
            if path in folders:
                folders = {each: mode for each, mode in folders.items() if not f"{each}/".startswith(f"{path}/")}
                others = {each: other for each, other in others.items() if not each.startswith(f"{path}/")}
            others[path] = member
        elif path:
            folders[path] = member.mode
    return folders, others


def _above(folder: str, known: dict[str, int | None]) -> list[str]:
    """Return the folder and its parents that are not known yet, the topmost first."""
    missing = []
    while folder and folder not in known:
        missing.append(folder)
        folder = folder.rpartition("/")[0]
    return missing[::-1]


def _processors() -> int:
    """Count those that this process may use; only Linux tells those of one process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shared_out(act: Callable[[list[tuple[str, Member]]], None], items: list[tuple[str, Member]]) -> None:
    """Share the work among all processors: the members are independent, and inflating and writing release the GIL."""
    workers = min(_processors(), 1 + len(items) // _SHARE)
    errors: list[BaseException] = []

    def work(part: list[tuple[str, Member]]) -> None:
        try:
            act(part)
        except BaseException as error:  # noqa: BLE001 -- raised again below, in the thread that waits
            errors.append(error)

    others = [threading.Thread(target=work, args=(items[number::workers],)) for number in range(1, workers)]
    for thread in others:
        thread.start()
    work(items[0::workers])
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]


def relative(name: str) -> str:
    """Return a member's path relative to the root; `/` is the root, too. Raise ArchiveError if it leads outside."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    drive = name[1:2] == ":" and name[0].isalpha() and name[2:3] in ("", "/", "\\")
    if name.startswith("\\") or drive or "\0" in name or ".." in name.replace("\\", "/").split("/"):
        raise ArchiveError(f"member {name!r} would be written outside of its folder, so no code was run")
    return "/".join(parts)


class _Target:
    def __init__(self, root: str, umask: int) -> None:
        self._root, self._umask = root, umask

    def folder(self, path: str, mode: int | None) -> None:
        """Create a folder whose parents exist, replacing anything that is not a folder."""
        full, found = f"{self._root}/{path}", _FOLDER_MODE & ~self._umask
        try:
            os.mkdir(full, _FOLDER_MODE)
        except FileExistsError:
            if os.path.isdir(full):
                self._inside(path)
                found = -1
            else:
                _remove(full)
                os.mkdir(full, _FOLDER_MODE)
        if mode is not None and mode != found:
            # The owner must be able to write into it.
            os.chmod(full, mode | _OWNER_ALL)

    def files(self, data: memoryview, found: list[tuple[str, Member]]) -> None:
        for path, member in found:
            self._file(data, f"{self._root}/{path}", member)

    def _file(self, data: memoryview, path: str, member: Member) -> None:
        mode = _FILE_MODE if member.mode is None else member.mode
        descriptor = _replace(path, lambda: os.open(path, _WRITE_NEW, mode))
        try:
            if mode & self._umask:
                os.fchmod(descriptor, mode)
            for piece in content(data, member):
                view = memoryview(piece)
                while view:
                    view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)

    def link(self, data: memoryview, path: str, member: Member) -> None:
        if member.size > _LONGEST_LINK:
            raise ArchiveError(f"member {member.name!r} is a link to a path of {member.size} bytes")
        aim = b"".join(bytes(piece) for piece in content(data, member))
        if not aim or b"\0" in aim:
            raise ArchiveError(f"member {member.name!r} is a link to nowhere: {aim!r}")
        # Another link of this archive may have replaced a folder in the meantime.
        self._inside(path.rpartition("/")[0])
        full = f"{self._root}/{path}"
        _replace(full, lambda: os.symlink(aim, os.fsencode(full)))

    def _inside(self, path: str) -> None:
        real = os.path.realpath(f"{self._root}/{path}")
        if real != self._root and not real.startswith(f"{self._root}/"):
            raise ArchiveError(f"{path!r} is a link to {real!r}, outside of the folder, so nothing is written there")


def _replace(path: str, make: Callable[[], Made]) -> Made:
    try:
        return make()
    except FileExistsError:
        _remove(path)
        return make()


def _remove(path: str) -> None:
    """Remove a file, a link, or a folder with all its content, without following links."""
    left = [path]
    while left:
        try:
            os.unlink(left[-1])
        except IsADirectoryError:
            inside = [f"{left[-1]}/{name}" for name in os.listdir(left[-1])]
            if inside:
                left += inside
                continue
            os.rmdir(left[-1])
        left.pop()
