"""How the runner's Python is made portable: what counts as needed, what is left out of files, and what is refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from overtime.runner.image import needs, portable_python
from overtime.runner.image.strip import stripped
from tests.doubles.runner_image import staged

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
from __future__ import annotations
import os, sys as system
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

class Late:
    def now(self, text, name):
        from json import loads
        open("x", encoding="cp850")
        return text.encode("latin-1"), b"".decode(name), loads
"""
SEGMENT, HEADER = b"code" * 5, struct.Struct("<16sHHIQQQIHHHHHH")


def elf(*segments: tuple[int, int]) -> bytes:
    """Make a file with these segments (offset, length), with symbols and section headers after them."""
    start = HEADER.size
    headers = b"".join(struct.pack("<IIQQQQQQ", 1, 5, offset, 0, 0, length, length, 8) for offset, length in segments)
    head = HEADER.pack(b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, start, 999, 0, start, 56, len(segments), 64, 7, 6)
    return head + headers + SEGMENT + b"symbols, debug information, section headers"


def test_imports_count_wherever_they_are_but_for_type_checkers() -> None:
    assert needs.imports(SOURCE) == ["import os, sys as system", "from json import loads"]


def test_encodings_that_are_named_count() -> None:
    assert sorted(needs.encodings(SOURCE)) == ["cp850", "latin-1"]


def test_what_follows_the_last_segment_is_left_out() -> None:
    at = HEADER.size + 2 * 56
    full = elf((0, at), (at, len(SEGMENT)))
    short = stripped(full)
    assert short.endswith(SEGMENT)
    assert len(short) == at + len(SEGMENT)
    fields, expected = HEADER.unpack_from(short), [*HEADER.unpack_from(full)]
    expected[6], expected[12:] = 0, [0, 0]
    assert list(fields) == expected
    assert short[HEADER.size :] == full[HEADER.size : len(short)]
    assert stripped(short) == short


@pytest.mark.parametrize("file", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\x7fELF\x01\x01" + bytes(100)])
def test_a_file_of_another_kind_stays_as_it_is(file: bytes) -> None:
    assert stripped(file) == file


def test_a_library_from_outside_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base image may have the same library in another version, or none."""
    monkeypatch.setattr(portable_python, "_libraries", lambda *_: {})
    with pytest.raises(portable_python.UnsuitableError, match=r"loads files from outside .*/libc\.so\.6"):
        portable_python.make(staged(tmp_path / "src"), tmp_path / "made")


def test_an_image_without_certificates_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with pytest.raises(portable_python.UnsuitableError, match=r"no CA certificates.*Install ca-certificates in it\."):
        portable_python.make(staged(tmp_path / "src"), tmp_path / "made", [str(tmp_path / "none")])
