"""A record that the runtime frames is one line of the log, in whatever pieces its bytes arrive."""

from __future__ import annotations

import io

import pytest
from awslambdaric.bootstrap import FramedTelemetryLogSink  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from overtime.runner.frames import Records


def framed(*texts: str) -> bytes:
    """Frame records as the installed runtime client does."""
    sink = FramedTelemetryLogSink("1")
    sink.file = io.BytesIO()
    for text in texts:
        sink.log(text)
    written = sink.file.getvalue()
    assert isinstance(written, bytes)
    return written


def carried(data: bytes, size: int, inner: bytes = b"\r") -> bytes:
    """Hand bytes over in pieces of this size."""
    records = Records(inner)
    return b"".join(records.lines(data[at : at + size]) for at in range(0, len(data), size))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one", b"one\n"),
        ("one\n", b"one\n"),
        ("one\n\n", b"one\n"),
        ("one\ntwo\n", b"one\rtwo\n"),
        ("\n\none\n\n\ntwo", b"\r\rone\r\r\rtwo\n"),
        ("\u00a0\u00fc", "\u00a0\u00fc\n".encode()),
        ("", b""),
    ],
)
def test_a_record_is_one_line(text: str, line: bytes) -> None:
    assert carried(framed(text), 1 << 16) == line


def test_for_a_person_a_records_lines_stay_lines() -> None:
    assert carried(framed("one\ntwo"), 1 << 16, b"\n") == b"one\ntwo\n"


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1)), st.integers(1, 40))
def test_the_pieces_in_which_records_arrive_do_not_matter(texts: list[str], size: int) -> None:
    data = framed(*texts)
    whole = carried(data, len(data) + 1)
    assert carried(data, size) == whole
    assert whole.count(b"\n") == len(texts)
    assert whole == b"".join(text.rstrip("\n").replace("\n", "\r").encode() + b"\n" for text in texts)


def test_a_record_is_not_kept_back_until_it_is_whole() -> None:
    """However long it is, and also where its writer was killed in the middle of it."""
    assert Records(b"\r").lines(framed("x" * 100_000)[:1016]) == b"x" * 1000


def test_what_is_no_frame_is_shown_and_the_next_record_is_found() -> None:
    assert carried(b"rubbish\n" + framed("one"), 1 << 16) == b"rubbish\none\n"


@pytest.mark.parametrize(
    ("kind", "timestamp"),
    [
        (0x01, b""),  # awslambdaric before 2.0.8, older clients for .NET
        (0x03, bytes(8)),  # plain text without a level
        (0x0F, bytes(8)),  # Node.js: plain text, INFO
        (0x16, bytes(8)),  # Node.js, Java: JSON, ERROR
        (0x00, b""),
        (0x15, b""),
    ],
)
def test_the_type_of_a_record_says_whether_it_has_a_timestamp(kind: int, timestamp: bytes) -> None:
    data = b"\xa5\x5a\x00" + bytes([kind]) + (3).to_bytes(4, "big") + timestamp + b"one"
    assert carried(data * 2, 1) == b"one\none\n"
