"""Archives for tests, down to bytes that no library would write."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LINK, FILE, FOLDER = stat.S_IFLNK << 16, stat.S_IFREG << 16, stat.S_IFDIR << 16
DOS, UNIX = 0, 3
"""On what an entry says that it was made."""


def packed(*members: tuple[str, bytes, int], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Make an archive of (name, content, external attributes)."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as opened:
        for name, content, attributes in members:
            member = zipfile.ZipInfo(name)
            member.filename = name  # ZipInfo would fix some names
            member.external_attr, member.compress_type, member.create_system = attributes, method, 3
            opened.writestr(member, content)
    return data.getvalue()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A member as bytes say it. The content stays as it is, and counts as stored unless `plain` is what was packed."""

    raw: bytes
    content: bytes = b""
    flags: int = 0
    extra: bytes = b""
    made_by: int = UNIX
    plain: bytes | None = None

    @property
    def _numbers(self) -> tuple[int, ...]:
        plain = self.content if self.plain is None else self.plain
        method = 0 if self.plain is None else zipfile.ZIP_DEFLATED
        sizes = zlib.crc32(plain), len(self.content), len(plain)
        return 20, self.flags, method, 0, 0, *sizes, len(self.raw), len(self.extra)

    def local(self) -> bytes:
        """Make the local header with the content."""
        header = struct.pack("<4s5H3L2H", b"PK\3\4", *self._numbers)
        return header + self.raw + self.extra + self.content

    def listed(self, offset: int) -> bytes:
        """Make the directory's entry."""
        rest = 0, 0, 0, FILE | 0o644 << 16, offset
        return struct.pack("<4s2B5H3L5H2L", b"PK\1\2", 30, self.made_by, *self._numbers, *rest) + self.raw + self.extra


def by_hand(*entries: Entry, count: int | None = None, wide: bytes | None = None, surplus: int = 0) -> bytes:
    """Make the bytes of an archive that zipfile would not write.

    `wide` adds a 64-bit end record although the numbers fit, with so many bytes of its own at its end; `surplus` is
    added to the directory's size.
    """
    body, directory = bytearray(), bytearray()
    for entry in entries:
        directory += entry.listed(len(body))
        body += entry.local()
    found, size, offset = len(entries) if count is None else count, len(directory) + surplus, len(body)
    after = b""
    if wide is not None:
        after = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44 + len(wide), 45, 45, 0, 0, found, found, size, offset) + wide
        after += struct.pack("<4sLQL", b"PK\6\7", 0, offset + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, found & 0xFFFF, found & 0xFFFF, size, offset, 0)
    return bytes(body + directory) + after + end


def unicode_name(raw: bytes, name: str) -> bytes:
    """Make the extra field for Unicode names, as Info-ZIP does."""
    value = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode(errors="surrogateescape")
    return struct.pack("<HH", 0x7075, len(value)) + value


def tree(root: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
