"""Reading archives: all of their members and nothing else, whoever wrote them and whatever happened to them."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtime.runner.archive import ArchiveError, content, members
from overtime.runner.unpack import unpack
from tests.unit.runner.zips import DOS, FILE, UNIX, Entry, by_hand, packed, tree, unicode_name

UTF8_NAMES = 1 << 11
EXTRA_OF_UNIX = pack("<HH", 0x7855, 4) + bytes(4)
APP, OTHER = Entry(raw=b"app.py", content=b"1"), Entry(raw=b"other.py", content=b"2")


def read(data: bytes) -> dict[str, bytes]:
    """Return the content of every member by name."""
    view = memoryview(data)
    return {member.name: b"".join(content(view, member)) for member in members(view)}


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("stated", [0, 65_543 & 0xFFFF])
def test_members_beyond_the_number_that_is_stated_are_there(stated: int) -> None:
    """The number has 16 bits; writers without the wider record let it overflow, or leave it at 0."""
    entries = [Entry(raw=b"f%d" % number) for number in range(65_543)]
    assert len(members(memoryview(by_hand(*entries, count=stated)))) == 65_543


def test_fewer_members_than_are_stated_are_noticed() -> None:
    with pytest.raises(ArchiveError, match="its directory is damaged: its size or its number of members is wrong"):
        read(by_hand(APP, OTHER, count=3))


@pytest.mark.parametrize("surplus", [-1, -54])
def test_a_directory_that_is_smaller_than_its_members_is_noticed(surplus: int) -> None:
    """It would begin in the middle of an entry, or with the second one."""
    with pytest.raises(ArchiveError, match="its directory is damaged"):
        read(by_hand(OTHER, APP, surplus=surplus))


def test_a_last_entry_that_reaches_past_the_directory_is_noticed() -> None:
    data = bytearray(by_hand(APP))
    data[data.index(b"PK\1\2") + 32] += 1  # the length of a comment that is not there
    with pytest.raises(ArchiveError, match="its size or its number of members is wrong"):
        read(bytes(data))


def test_an_end_that_names_no_members_does_not_hide_those_before_it() -> None:
    whole = by_hand(APP)
    end = len(whole) - 22
    with pytest.raises(ArchiveError, match="it is empty, but 89 bytes precede it"):
        read(whole[:end] + pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 0, 0, len(APP.local()), 0))


def test_an_archive_may_be_empty() -> None:
    assert read(by_hand()) == read(by_hand(wide=b"")) == {}


def test_an_end_inside_a_comment_is_not_the_end() -> None:
    """Of an archive whose comment quotes another one, its own members count."""
    comment = b"see PK\5\6" + bytes(18) + b" there"
    whole = by_hand(APP)
    assert read(whole[:-2] + pack("<H", len(comment)) + comment) == {"app.py": b"1"}


def test_bytes_after_the_end_do_no_harm() -> None:
    assert read(by_hand(APP) + b"\n") == {"app.py": b"1"}


@pytest.mark.parametrize("before", [b"", b"#!/usr/bin/python3\n"])
def test_a_wide_end_may_be_there_although_the_numbers_fit(before: bytes) -> None:
    """Info-ZIP writes one when it packs a stream, and the JDK's file system for zips when it is told to."""
    assert read(before + by_hand(APP, OTHER, wide=b"")) == {"app.py": b"1", "other.py": b"2"}


def test_a_wide_end_may_have_more_to_say() -> None:
    assert read(by_hand(APP, wide=bytes(40))) == {"app.py": b"1"}


def test_what_only_looks_like_the_way_to_a_wide_end_does_not_count() -> None:
    """The directory may end with a comment of any bytes."""
    data = by_hand(APP)
    end = len(data) - 22
    comment = pack("<4sLQL", b"PK\6\7", 0, 1 << 63, 1)
    entry = bytearray(data[data.index(b"PK\1\2") : end] + comment)
    entry[32:34] = pack("<H", len(comment))
    last = pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(APP.local()), 0)
    assert read(APP.local() + bytes(entry) + last) == {"app.py": b"1"}


@pytest.mark.skipif(shutil.which("zip") is None, reason="without Info-ZIP its archives above are made by hand")
def test_what_info_zip_packs_from_a_stream() -> None:
    done = subprocess.run(["zip", "-q", "-", "-"], input=b"streamed", capture_output=True, check=True)
    assert read(done.stdout) == {"-": b"streamed"}


@pytest.mark.parametrize("move", [1, 30, 1 << 20])
def test_a_directory_that_is_moved_out_of_the_archive_is_noticed(move: int) -> None:
    data = bytearray(by_hand(APP))
    data[-6:-2] = pack("<L", int.from_bytes(data[-6:-2], "little") + move)
    with pytest.raises(ArchiveError, match=r"'app\.py' is outside of the archive"):
        read(bytes(data))


@pytest.mark.parametrize("field", ["size", "compressed", "offset"])
def test_a_member_of_impossible_numbers_is_noticed(field: str) -> None:
    """64 bits hold numbers that no memory does."""
    numbers = {"size": 4, "compressed": len(deflated(b"1234")), "offset": 0, field: (1 << 64) - 1}
    extra = pack("<HH3Q", 1, 24, *numbers.values())
    data = bytearray(by_hand(Entry(raw=b"app.py", content=deflated(b"1234"), plain=b"1234", extra=extra)))
    entry = data.index(b"PK\1\2")
    for at in (20, 24, 42):
        data[entry + at : entry + at + 4] = b"\xff" * 4
    with pytest.raises(ArchiveError, match=r"'app\.py'"):
        read(bytes(data))


def test_packed_zeros_come_in_pieces_that_memory_can_hold() -> None:
    """Deflated zeros are a thousandth of themselves, so even a small piece of the archive may become very large."""
    zeros = bytes(64 << 20)
    data = by_hand(Entry(raw=b"zeros", content=deflated(zeros), plain=zeros))
    assert len(data) < 1 << 17
    view = memoryview(data)
    (member,) = members(view)
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in content(view, member)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (sum(sizes), max(sizes)) == (len(zeros), 1 << 20)
    assert peak < 4 << 20


@given(st.integers(0, 3_000_000), st.binary(min_size=1, max_size=40), st.integers(0, 9))
@settings(max_examples=40)
def test_what_is_deflated_in_any_way_is_inflated_whole(size: int, pattern: bytes, level: int) -> None:
    """Also where the last of the packed bytes are read long before the last of the unpacked ones."""
    whole = (pattern * (size // len(pattern) + 1))[:size]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as opened:
        opened.writestr("app.bin", whole)
    assert read(data.getvalue()) == {"app.bin": whole}


def test_what_follows_a_members_stream_is_not_part_of_it() -> None:
    data = by_hand(Entry(raw=b"app.py", content=deflated(b"1") + b"behind" * 100, plain=b"1"))
    assert read(data) == {"app.py": b"1"}


def test_an_archive_that_was_streamed(tmp_path: Path) -> None:
    """Its members' sizes stand behind their bytes."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    data = Pipe()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("app.py", b"streamed" * 100)
    unpack(memoryview(data.getvalue()), str(tmp_path))
    assert tree(tmp_path) == {"app.py": b"streamed" * 100}


@pytest.mark.parametrize(
    ("raw", "flags", "field", "made_by", "expected"),
    [
        ("modèle.json".encode(), 0, None, UNIX, "modèle.json"),
        ("modèle.json".encode(), UTF8_NAMES, None, UNIX, "modèle.json"),
        ("modèle.json".encode("cp437"), 0, None, DOS, "modèle.json"),
        ("modèle.json".encode("cp437"), UTF8_NAMES, None, DOS, "modèle.json"),
        ("modèle.json".encode("latin-1"), 0, None, UNIX, "mod\udce8le.json"),
        ("modèle.json".encode("latin-1"), UTF8_NAMES, None, UNIX, "mod\udce8le.json"),
        (b"mod#U00e8le.json", 0, "modèle.json", UNIX, "modèle.json"),
        (b"mod#U00e8le.json", 0, "mod\udce8le.json", UNIX, "mod\udce8le.json"),
        ("modèle.json".encode("cp437"), 0, "modèle.json", UNIX, "modèle.json"),
        ("modèle.json".encode(), UTF8_NAMES, "other.json", UNIX, "modèle.json"),
        (b"plain.json", 0, None, UNIX, "plain.json"),
    ],
    ids=[
        "unmarked",
        "marked",
        "code page 437",
        "code page 437, marked",
        "Latin-1",
        "Latin-1, marked",
        "escaped",
        "Latin-1 in the field",
        "code page and field",
        "marked and field",
        "ascii",
    ],
)
def test_a_name_is_read_as_its_writer_meant_it(  # noqa: PLR0913 -- a row of the table above
    tmp_path: Path, *, raw: bytes, flags: int, field: str | None, made_by: int, expected: str
) -> None:
    """Info-ZIP leaves UTF-8 unmarked where the locale has it, and otherwise adds a field; Windows writes code pages.

    What no rule explains stays as it is, byte for byte, and costs nobody else's member.
    """
    extra = b"" if field is None else unicode_name(raw, field)
    named = Entry(raw=raw, content=b"1", flags=flags, extra=extra, made_by=made_by)
    unpack(memoryview(by_hand(named, OTHER)), str(tmp_path))
    assert tree(tmp_path) == {expected: b"1", "other.py": b"2"}


@pytest.mark.parametrize("damage", [b"\x02", b"\x01\0\0\0\0"], ids=["another version", "of another name"])
def test_a_name_in_a_field_that_is_about_something_else_does_not_count(tmp_path: Path, damage: bytes) -> None:
    """A tool that renames members without knowing the field leaves the former name's in it."""
    field = unicode_name(b"app.py", "former.py")
    extra = field[:4] + damage + field[4 + len(damage) :]
    unpack(memoryview(by_hand(Entry(raw=b"app.py", content=b"1", extra=EXTRA_OF_UNIX + extra))), str(tmp_path))
    assert tree(tmp_path) == {"app.py": b"1"}


def test_a_name_in_a_field_cannot_lead_outside(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="outside"):
        unpack(
            memoryview(by_hand(Entry(raw=b"app.py", content=b"1", extra=unicode_name(b"app.py", "../app.py")))),
            str(tmp_path),
        )


@pytest.mark.skipif(shutil.which("zip") is None, reason="without Info-ZIP its archives above are made by hand")
@pytest.mark.parametrize("options", [[], ["-UN=UTF8"], ["-UN=escape"]], ids=["default", "marked", "escaped"])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_what_info_zip_packs(tmp_path: Path, options: list[str], locale: str) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    source.mkdir()
    root.mkdir()
    (source / "modèle.json").write_bytes(b"{}")
    (source / "empty.py").touch()
    command = ["zip", "-q", *options, str(tmp_path / "code.zip"), "modèle.json", "empty.py"]
    subprocess.run(command, cwd=source, env={"PATH": os.environ["PATH"], "LC_ALL": locale}, check=True)
    unpack(memoryview((tmp_path / "code.zip").read_bytes()), str(root))
    assert tree(root) == tree(source)


def test_an_empty_file_may_be_deflated_into_no_bytes(tmp_path: Path) -> None:
    unpack(memoryview(by_hand(Entry(raw=b"__init__.py", plain=b""))), str(tmp_path))
    assert tree(tmp_path) == {"__init__.py": b""}


def test_no_bytes_are_no_file_of_some() -> None:
    with pytest.raises(ArchiveError, match=r"'app\.py' is damaged: it is not the 10 bytes that were packed"):
        read(by_hand(Entry(raw=b"app.py", plain=bytes(10))))


def test_a_deflated_member_that_does_not_end_is_refused() -> None:
    """Even if all of its bytes came: the end of the stream is missing."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    unended = deflater.compress(b"whole") + deflater.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(ArchiveError, match=r"'app\.py' is truncated"):
        read(by_hand(Entry(raw=b"app.py", content=unended, plain=b"whole")))


def test_an_archive_of_64_bit_sizes(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened, opened.open("app.py", "w", force_zip64=True) as file:
        file.write(b"wide")
    unpack(memoryview(data.getvalue()), str(tmp_path))
    assert tree(tmp_path) == {"app.py": b"wide"}


def test_an_archive_behind_other_bytes(tmp_path: Path) -> None:
    unpack(memoryview(b"#!/usr/bin/python\n" + packed(("app.py", b"1", FILE))), str(tmp_path))
    assert tree(tmp_path) == {"app.py": b"1"}


@given(st.integers(0, 10_000))
@settings(max_examples=60)
def test_an_archive_that_is_cut_off_is_refused(length: int) -> None:
    data = packed(("app.py", os.urandom(300) * 2, FILE), ("other.py", b"2", FILE))
    with tempfile.TemporaryDirectory() as folder, pytest.raises(ArchiveError):
        unpack(memoryview(data[: length % len(data)]), folder)


@given(st.integers(0), st.integers(1, 255))
@settings(max_examples=150)
def test_a_changed_byte_is_noticed_or_does_no_harm(at: int, change: int) -> None:
    """It ends in an ArchiveError or a refusal of the file system, or below the root: never in another error."""
    data = bytearray(packed(("app.py", b"print(1)\n" * 50, FILE), ("a/b.py", b"2", FILE)))
    data[at % len(data)] ^= change
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir()
        with contextlib.suppress(ArchiveError, OSError):
            unpack(memoryview(data), str(root))
        assert list(Path(folder).iterdir()) == [root]


def test_a_member_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    data = bytearray(packed(("bomb", b"\0" * 1_000_000, FILE)))
    entry = data.index(b"PK\1\2")
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    with pytest.raises(ArchiveError, match="'bomb' is larger than its recorded size, 10 bytes"):
        unpack(memoryview(data), str(tmp_path))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    data = bytearray(packed(("secret", b"1", FILE)))
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(ArchiveError, match="'secret' is encrypted"):
        unpack(memoryview(data), str(tmp_path))


def test_a_way_of_packing_that_lambda_does_not_take_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"'app\.py' uses method 12: Lambda accepts stored and deflated"):
        unpack(memoryview(packed(("app.py", b"1" * 100, FILE), method=zipfile.ZIP_BZIP2)), str(tmp_path))
