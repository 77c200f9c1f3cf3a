"""Unpacking a function's code or a layer into its folder, as Lambda does, and never outside of it."""

# ruff: noqa: PTH101, PTH102, PTH108, PTH211 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import os
import threading

from runner.archive import ArchiveError, Member, content, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
_OWNER_ALL = 0o700
_WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_LONGEST_LINK = 4096
_SHARE = 64
"""Files for which another thread is worth starting."""


def unpack(data: memoryview, root: str) -> int:
    """Write every member below `root`, over what is there (a later layer shadows an earlier one); return the count.

    A link is written as it stands, wherever it points, because Lambda does so; but nothing is ever written through one
    that leads out of `root`. Raises ArchiveError for a bad archive, OSError where the file system refuses.
    """
    found = members(data)
    umask = os.umask(0)
    os.umask(umask)
    target = _Target(os.path.realpath(root), umask)
    # By path, because of two members of one name the later one counts.
    files: dict[str, Member] = {}
    links: list[tuple[str, Member]] = []
    for member in found:
        path = relative(member.name)
        if member.is_folder:
            target.folder(path, member.mode)
        else:
            if not path:
                raise ArchiveError(f"member {member.name!r} names no file")
            target.folder(path.rpartition("/")[0], None)
            if member.is_link:
                links.append((path, member))
            else:
                files[path] = member
    _shared_out(lambda part: target.files(data, part), list(files.items()))
    # Links come last, so that no file of the same archive can be led astray by one.
    for path, member in links:
        target.link(data, path, member)
    target.close()
    return len(found)


def _shared_out(act: Callable[[list[tuple[str, Member]]], None], items: list[tuple[str, Member]]) -> None:
    """Let each processor do its share: members lie apart in memory, and inflating and writing hold no lock."""
    workers = min(len(os.sched_getaffinity(0)), 1 + len(items) // _SHARE)
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
    """Return a member's path below the root; raises ArchiveError where it leads elsewhere."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    drive = name[1:2] == ":" and name[0].isalpha() and name[2:3] in ("", "/", "\\")
    if name.startswith(("/", "\\")) or drive or "\0" in name or ".." in name.replace("\\", "/").split("/"):
        raise ArchiveError(f"member {name!r} would be written outside of its folder; nothing of it is run")
    return "/".join(parts)


class _Target:
    def __init__(self, root: str, umask: int) -> None:
        self._root, self._umask = root, umask
        self._sound: set[str] = {""}
        self._late_modes: list[tuple[str, int]] = []

    def folder(self, path: str, mode: int | None) -> None:
        self._ensure(path)
        if path and mode is not None and mode != _FOLDER_MODE & ~self._umask:
            # Only at the end: a folder that its owner may not write could not be filled.
            self._late_modes.append((path, mode | _OWNER_ALL))

    def files(self, data: memoryview, found: list[tuple[str, Member]]) -> None:
        for path, member in found:
            self._file(data, f"{self._root}/{path}", member)

    def _file(self, data: memoryview, path: str, member: Member) -> None:
        mode = _FILE_MODE if member.mode is None else member.mode
        descriptor = self._replace(path, lambda: os.open(path, _WRITE_NEW, mode))
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
        full = f"{self._root}/{path}"
        self._replace(full, lambda: os.symlink(aim, os.fsencode(full)))

    def close(self) -> None:
        for path, mode in self._late_modes:
            os.chmod(f"{self._root}/{path}", mode)

    def _replace(self, path: str, make: Callable[[], int | None]) -> int:
        try:
            return make() or 0
        except FileExistsError:
            os.unlink(path)
            return make() or 0

    def _ensure(self, path: str) -> None:
        """Make the folder and those above it; each is looked at once, unless a link may have taken its place."""
        if path in self._sound:
            return
        self._ensure(path.rpartition("/")[0])
        full = f"{self._root}/{path}"
        try:
            os.mkdir(full, _FOLDER_MODE)
        except FileExistsError:
            real = os.path.realpath(full)
            if real != self._root and not real.startswith(f"{self._root}/"):
                raise ArchiveError(
                    f"{path!r} is a link to {real!r}, outside of the folder; nothing is written through it"
                ) from None
        self._sound.add(path)
