"""Unpacking a function's code or a layer into its folder, as Lambda does, and never outside of it."""

# ruff: noqa: PTH101, PTH102, PTH108, PTH211 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import os

from runner.archive import ArchiveError, Member, content, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
_OWNER_ALL = 0o700
_WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_LONGEST_LINK = 4096


def unpack(data: memoryview, root: str) -> int:
    """Write every member below `root`, over what is there (a later layer shadows an earlier one); return the count.

    A link is written as it stands, wherever it points, because Lambda does so; but nothing is ever written through one
    that leads out of `root`. Raises ArchiveError for a bad archive, OSError where the file system refuses.
    """
    found = members(data)
    umask = os.umask(0)
    os.umask(umask)
    target = _Target(os.path.realpath(root), umask)
    for member in found:
        if member.is_folder:
            target.folder(relative(member.name), member.mode)
        elif not member.is_link:
            target.file(data, member)
    # Links come last, so that no file of the same archive can be led astray by one.
    for member in found:
        if member.is_link and not member.is_folder:
            target.link(data, member)
    target.close()
    return len(found)


def relative(name: str) -> str:
    """Return a member's path below the root; raises ArchiveError where it leads elsewhere."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    drive = len(name) > 1 and name[1] == ":" and name[0].isalpha()
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
        if path and mode is not None and mode & ~self._umask != _FOLDER_MODE:
            # Only at the end: a folder that its owner may not write could not be filled.
            self._late_modes.append((path, mode | _OWNER_ALL))

    def file(self, data: memoryview, member: Member) -> None:
        path = self._place(member)
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

    def link(self, data: memoryview, member: Member) -> None:
        if member.size > _LONGEST_LINK:
            raise ArchiveError(f"member {member.name!r} is a link to a path of {member.size} bytes")
        path = self._place(member)
        aim = b"".join(bytes(piece) for piece in content(data, member))
        if not aim or b"\0" in aim:
            raise ArchiveError(f"member {member.name!r} is a link to nowhere: {aim!r}")
        self._replace(path, lambda: os.symlink(aim, os.fsencode(path)))

    def close(self) -> None:
        for path, mode in self._late_modes:
            os.chmod(f"{self._root}/{path}", mode)

    def _place(self, member: Member) -> str:
        path = relative(member.name)
        folder, _, last = path.rpartition("/")
        if not last:
            raise ArchiveError(f"member {member.name!r} names no file")
        self._ensure(folder)
        return f"{self._root}/{path}"

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
