"""Unpacking: the same bytes and modes as were packed, and never anything outside of the folder."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import struct
import subprocess
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.archive import ArchiveError
from runner.unpack import relative, unpack

PART = st.text("abcdeäŁ漢-_. ", min_size=1, max_size=6).filter(lambda part: part.strip(".") != "")
FILES = st.dictionaries(
    st.lists(PART, min_size=1, max_size=3).map("/".join),
    st.tuples(
        st.binary(max_size=3000), st.integers(0o1, 0o777), st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    ),
    max_size=6,
).filter(lambda files: not any(other.startswith(f"{path}/") for path in files for other in files))
LINK, FILE, DOS_ARCHIVE = stat.S_IFLNK << 16, stat.S_IFREG << 16, 0x20
UTF8_NAMES = 1 << 11
EXTRA_OF_UNIX = struct.pack("<HH", 0x7855, 4) + bytes(4)


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


def one_member(raw: bytes, content: bytes, *, flags: int = 0, method: int = 0, extra: bytes = b"") -> bytes:
    """Make the bytes of an archive by hand: what zipfile would not write. The content stays as it is."""
    numbers = 20, flags, method, 0, 0, zlib.crc32(content), len(content), len(content), len(raw), len(extra)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", *numbers) + raw + extra + content
    entry = struct.pack("<4s2B5H3L5H2L", b"PK\1\2", 30, 3, *numbers, 0, 0, 0, FILE | 0o644 << 16, 0) + raw + extra
    return local + entry + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local), 0)


def unicode_name(raw: bytes, name: str) -> bytes:
    """Make the extra field for Unicode names, as Info-ZIP does."""
    value = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(value)) + value


def tree(root: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@given(FILES)
@settings(max_examples=60, deadline=None)
def test_what_was_packed_is_what_is_unpacked(files: dict[str, tuple[bytes, int, int]]) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        for name, (content, mode, method) in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr, member.compress_type = FILE | mode << 16, method
            opened.writestr(member, content)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        assert unpack(memoryview(data.getvalue()), folder) == len(files)
        assert tree(root) == {name: content for name, (content, _, _) in files.items()}
        modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in files}
        assert modes == {name: mode for name, (_, mode, _) in files.items()}


@given(
    st.lists(PART, max_size=2),
    st.sampled_from(["..", "/", "\\", "C:", "..\\", "\0", "a\\..\\.."]),
    st.lists(PART, max_size=2),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_name_that_leads_outside_is_refused_and_nothing_is_written(
    before: list[str], bad: str, after: list[str]
) -> None:
    name = "/".join([*([] if bad in ("/", "\\", "C:") else before), bad, *after])
    with pytest.raises(ArchiveError, match="would be written outside of its folder"):
        relative(name)
    if "\0" in name:
        return  # zipfile itself writes no such name
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir()
        with pytest.raises(ArchiveError, match="outside"):
            unpack(memoryview(packed((name, b"bad", FILE | 0o644 << 16))), str(root))
        assert [str(path) for path in Path(folder).rglob("*")] == [str(root)]


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_every_name_that_is_taken_stays_below_the_root(name: str) -> None:
    try:
        path = relative(name)
    except ArchiveError:
        return
    assert os.path.normpath(f"/root/{path}").startswith("/root")
    assert ".." not in path.split("/")


@pytest.mark.parametrize("name", ["a:b.txt", "C:evil", "folder/C:", "c:folder/d"])
def test_a_colon_is_a_character_like_any_other(tmp_path: Path, name: str) -> None:
    """Lambda's file system has no drives; only what would be a drive's folder is refused."""
    unpack(memoryview(packed((name, b"1", FILE))), str(tmp_path))
    assert tree(tmp_path) == {name: b"1"}


def test_a_link_is_kept_as_it_stands(tmp_path: Path) -> None:
    unpack(memoryview(packed(("lib.so", b"lib.so.1", LINK), ("lib.so.1", b"code", FILE | 0o755 << 16))), str(tmp_path))
    assert (tmp_path / "lib.so").readlink() == Path("lib.so.1")
    assert (tmp_path / "lib.so").read_bytes() == b"code"


def test_nothing_is_written_through_an_earlier_archives_link_to_the_outside(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    unpack(memoryview(packed(("door", str(outside).encode(), LINK))), str(root))
    with pytest.raises(ArchiveError, match=r"'door' is a link to '.*outside', outside of the folder"):
        unpack(memoryview(packed(("door/bad", b"bad", FILE))), str(root))
    assert list(outside.iterdir()) == []


def test_nothing_is_written_through_the_same_archives_link(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    members = ("door", str(outside).encode(), LINK), ("door/bad", b"bad", FILE)
    for order in (members, members[::-1]):
        with pytest.raises((ArchiveError, OSError), match="door"):
            unpack(memoryview(packed(*order)), str(root))
    assert list(outside.iterdir()) == []


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    unpack(memoryview(packed(("alias/file", b"1", FILE))), str(tmp_path))
    assert (tmp_path / "real" / "file").read_bytes() == b"1"


def test_a_file_replaces_a_link_of_its_name_and_not_what_that_points_to(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    root.mkdir()
    outside.write_bytes(b"precious")
    (root / "file").symlink_to(outside)
    unpack(memoryview(packed(("file", b"new", FILE))), str(root))
    assert (outside.read_bytes(), (root / "file").read_bytes()) == (b"precious", b"new")


def test_a_later_archive_shadows_an_earlier_one(tmp_path: Path) -> None:
    for content in (b"lower", b"upper"):
        unpack(memoryview(packed(("python/shared.py", content, FILE))), str(tmp_path))
    assert tree(tmp_path) == {"python/shared.py": b"upper"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_of_one_name_the_later_counts(tmp_path: Path) -> None:
    unpack(memoryview(packed(("a", b"first", FILE), ("a", b"second", FILE))), str(tmp_path))
    assert tree(tmp_path) == {"a": b"second"}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    members = ("run.sh", b"#", FILE | 0o755 << 16), ("folder/", b"", (stat.S_IFDIR | 0o775) << 16)
    before = os.umask(umask)
    try:
        unpack(memoryview(packed(*members)), str(tmp_path))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"run.sh": 0o755, "folder": 0o775}


def test_a_file_without_a_mode_can_be_read(tmp_path: Path) -> None:
    """Archives made on Windows, or by code that never thought of it."""
    unpack(memoryview(packed(("app.py", b"1", DOS_ARCHIVE))), str(tmp_path))
    assert stat.S_IMODE((tmp_path / "app.py").stat().st_mode) == 0o644


def test_a_folder_that_its_owner_may_not_write_is_filled_all_the_same(tmp_path: Path) -> None:
    unpack(
        memoryview(packed(("locked/", b"", (stat.S_IFDIR | 0o555) << 16), ("locked/file", b"1", FILE))), str(tmp_path)
    )
    assert tree(tmp_path) == {"locked/file": b"1"}


def test_setuid_is_not_taken_over(tmp_path: Path) -> None:
    unpack(memoryview(packed(("tool", b"1", FILE | 0o4755 << 16))), str(tmp_path))
    assert stat.S_IMODE((tmp_path / "tool").stat().st_mode) == 0o755


def test_hundreds_of_files_are_all_there(tmp_path: Path) -> None:
    """From 64 files on, more than one thread writes."""
    members = [(f"folder{number % 7}/file{number}", b"%d" % number * number, FILE) for number in range(400)]
    unpack(memoryview(packed(*members)), str(tmp_path))
    assert tree(tmp_path) == {name: content for name, content, _ in members}


def test_an_error_in_any_thread_is_the_error(tmp_path: Path) -> None:
    data = bytearray(packed(*((f"file{number}", b"x" * 100, FILE) for number in range(200)), method=zipfile.ZIP_STORED))
    data[data.index(b"file199") + 20] ^= 1
    with pytest.raises(ArchiveError, match="'file199' is damaged"):
        unpack(memoryview(data), str(tmp_path))


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
    ("raw", "flags", "field", "expected"),
    [
        ("modèle.json".encode(), 0, None, "modèle.json"),
        ("modèle.json".encode(), UTF8_NAMES, None, "modèle.json"),
        ("modèle.json".encode("cp437"), 0, None, "modèle.json"),
        (b"mod#U00e8le.json", 0, "modèle.json", "modèle.json"),
        ("modèle.json".encode("cp437"), 0, "modèle.json", "modèle.json"),
        ("modèle.json".encode(), UTF8_NAMES, "other.json", "modèle.json"),
        (b"plain.json", 0, None, "plain.json"),
    ],
    ids=["unmarked", "marked", "code page 437", "escaped", "code page and field", "marked and field", "ascii"],
)
def test_a_name_is_read_as_its_writer_meant_it(
    tmp_path: Path, raw: bytes, flags: int, field: str | None, expected: str
) -> None:
    """Info-ZIP leaves UTF-8 unmarked where the locale has it, and otherwise adds a field; Windows writes code pages."""
    extra = b"" if field is None else unicode_name(raw, field)
    unpack(memoryview(one_member(raw, b"1", flags=flags, extra=extra)), str(tmp_path))
    assert tree(tmp_path) == {expected: b"1"}


@pytest.mark.parametrize("damage", [b"\x02", b"\x01\0\0\0\0"], ids=["another version", "of another name"])
def test_a_name_in_a_field_that_is_about_something_else_does_not_count(tmp_path: Path, damage: bytes) -> None:
    """A tool that renames members without knowing the field leaves the former name's in it."""
    field = unicode_name(b"app.py", "former.py")
    extra = field[:4] + damage + field[4 + len(damage) :]
    unpack(memoryview(one_member(b"app.py", b"1", extra=EXTRA_OF_UNIX + extra)), str(tmp_path))
    assert tree(tmp_path) == {"app.py": b"1"}


def test_a_name_in_a_field_cannot_lead_outside(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="outside"):
        unpack(memoryview(one_member(b"app.py", b"1", extra=unicode_name(b"app.py", "../app.py"))), str(tmp_path))


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
    unpack(memoryview(one_member(b"__init__.py", b"", method=zipfile.ZIP_DEFLATED)), str(tmp_path))
    assert tree(tmp_path) == {"__init__.py": b""}


def test_no_bytes_are_no_file_of_some(tmp_path: Path) -> None:
    data = bytearray(one_member(b"app.py", b"", method=zipfile.ZIP_DEFLATED))
    entry = data.index(b"PK\1\2")
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    with pytest.raises(ArchiveError, match=r"'app\.py' is damaged: its bytes are not the 10 that were packed"):
        unpack(memoryview(data), str(tmp_path))


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
@settings(max_examples=60, deadline=None)
def test_an_archive_that_is_cut_off_is_refused(length: int) -> None:
    data = packed(("app.py", os.urandom(300) * 2, FILE), ("other.py", b"2", FILE))
    with tempfile.TemporaryDirectory() as folder, pytest.raises(ArchiveError):
        unpack(memoryview(data[: length % len(data)]), folder)


@given(st.integers(0), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
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
    with pytest.raises(ArchiveError, match="'bomb' holds more than the 10 bytes that it says"):
        unpack(memoryview(data), str(tmp_path))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    data = bytearray(packed(("secret", b"1", FILE)))
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(ArchiveError, match="'secret' is encrypted"):
        unpack(memoryview(data), str(tmp_path))


def test_a_way_of_packing_that_lambda_does_not_take_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"'app\.py' is packed by method 12: Lambda takes stored, deflated"):
        unpack(memoryview(packed(("app.py", b"1" * 100, FILE), method=zipfile.ZIP_BZIP2)), str(tmp_path))
