"""Reads HTTP/1.1 messages from a buffered stream: lines, header fields and chunks, which both sides of the runner read.

Nothing incomplete is ever returned, because the rest may change its meaning.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

_MOST_LINES, _MOST_DIGITS = 256, 16
_FRAMING = ("content-length", "transfer-encoding")
"""The fields that say where a body ends."""


class HttpReader:
    """Reads the parts of a message. Raises ConnectionResetError if one is cut off, ValueError if it is not HTTP."""

    def __init__(self, stream: BufferedReader, longest_line: int = 65_536) -> None:
        self.stream, self._longest_line = stream, longest_line

    def line(self) -> bytes:
        """Return a line without its end."""
        line = self.stream.readline(self._longest_line)
        if line.endswith(b"\n"):
            return line.rstrip(b"\r\n")
        if len(line) == self._longest_line:
            raise ValueError(f"a line that begins with {line[:40]!r} is too long")
        raise ConnectionResetError("the connection was closed before the message's end")

    def fields(self) -> dict[str, str]:
        """Return the header fields or trailers before the next empty line; names are in lower case."""
        fields: dict[str, str] = {}
        for _ in range(_MOST_LINES):
            line = self.line()
            if not line:
                return fields
            name, value = (part.strip() for part in line.decode("latin-1").partition(":")[::2])
            if fields.get(name.lower(), value) != value and name.lower() in _FRAMING:
                raise ValueError(f"two header lines {name} contradict each other")
            fields[name.lower()] = value
        raise ValueError(f"the message has more than {_MOST_LINES} header lines")

    def chunks(self) -> Iterator[int]:
        """Yield the size of each chunk, which the caller reads before it goes on; trailers follow the last one."""
        while chunk := size(self.line().partition(b";")[0].strip(), 16):
            yield chunk
            if self.line():
                raise ValueError("a chunk is longer than its size")


def chunked(fields: dict[str, str]) -> bool:
    """Return whether a message's body comes in chunks. Raise ValueError if it is encoded in another way."""
    encoding = fields.get("transfer-encoding", "").lower()
    if encoding not in ("", "chunked"):
        raise ValueError(f"the transfer encoding {encoding[:40]!r} is unknown")
    return bool(encoding)


def size(digits: bytes, base: int = 10) -> int:
    """Return a number of bytes, parsed strictly, because `int` also accepts signs, spaces and underscores."""
    if not 0 < len(digits) <= _MOST_DIGITS or digits.lower().strip(b"0123456789abcdef"[:base]):
        raise ValueError(f"{digits[:40]!r} is not a size")
    return int(digits, base)
