"""Turns the log records that the runtime client frames into lines of the log: one record, one event. Pure.

Lambda gives the runtime a descriptor for its log, `_LAMBDA_TELEMETRY_LOG_FD`. Each record on it is a frame: four bytes
of type, four of length, eight of timestamp if the type says so, then the text. The last byte of the type has a bit for
plain text instead of JSON, one for the timestamp, and three for the level (`FrameType` in AWS's client for Java).
"""

from __future__ import annotations

_MAGIC = b"\xa5\x5a\x00"
_HAS_TIMESTAMP = 0x02
_SHORT, _LONG = 8, 16


class Records:
    """Converts bytes to lines as they arrive; buffers no text, however long a record is.

    A newline within a record becomes `inner`. ECS's log driver makes every line an event, so a carriage return keeps
    the record in one event.
    """

    def __init__(self, inner: bytes) -> None:
        self._inner = inner
        self._head = b""
        self._left = 0
        self._newlines = 0

    def lines(self, data: bytes) -> bytes:
        """Return what can be written so far."""
        data, self._head = self._head + data, b""
        out = bytearray()
        while data:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
                out += self._text(piece)
                if not self._left:
                    out += b"\n"
                    self._newlines = 0
                continue
            at = data.find(_MAGIC)
            if at:  # no frame begins here: something else has written to the descriptor, and is passed on unchanged
                at = at if at > 0 else len(data) if len(data) >= len(_MAGIC) else 0
            if at:
                out += data[:at]
                data = data[at:]
                continue
            size = _LONG if data[3:4] and data[3] & _HAS_TIMESTAMP else _SHORT
            if len(data) < size:
                self._head = data
                break
            self._left, data = int.from_bytes(data[4:8], "big"), data[size:]
        return bytes(out)

    def _text(self, piece: bytes) -> bytes:
        """Return the text without trailing newlines, which wait for more text: at a record's end they are dropped."""
        stripped = piece.rstrip(b"\n")
        before = self._newlines
        if not stripped:
            self._newlines = before + len(piece)
            return b""
        self._newlines = len(piece) - len(stripped)
        return self._inner * before + stripped.replace(b"\n", self._inner)
