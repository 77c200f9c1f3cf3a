"""Removes from a program or library what the loader does not need: symbols, debug information, section headers.

Some distributions' libraries have several times their size of it, and an image with Python need not have `strip`.
The loader reads only the program headers (ELF specification, "Program Loading and Dynamic Linking").
"""

from __future__ import annotations

import struct

_MAGIC = b"\x7fELF\x02\x01"
"""64 bits, little-endian: all that Lambda and Fargate have."""
_PROGRAM_HEADERS, _PROGRAM_HEADER_SIZES = struct.Struct("<32xQ"), struct.Struct("<54xHH")
_PROGRAM_HEADER = struct.Struct("<8xQ16xQ")
_SECTION_HEADERS, _SECTION_HEADER_COUNT = (40, struct.pack("<Q", 0)), (60, struct.pack("<HH", 0, 0))


def stripped(file: bytes) -> bytes:
    """Return the file without anything after its last segment. Anything but such a file is returned as it is."""
    if not file.startswith(_MAGIC):
        return file
    [start] = _PROGRAM_HEADERS.unpack_from(file)
    size, count = _PROGRAM_HEADER_SIZES.unpack_from(file)
    end = start + size * count
    for place in range(start, end, size):
        offset, length = _PROGRAM_HEADER.unpack_from(file, place)
        end = max(end, offset + length)
    short = bytearray(file[:end])
    for place, nothing in (_SECTION_HEADERS, _SECTION_HEADER_COUNT):
        short[place : place + len(nothing)] = nothing
    return bytes(short)
