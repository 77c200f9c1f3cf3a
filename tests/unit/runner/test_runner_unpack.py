"""Unpacking: the same bytes and modes as were packed, and never anything outside of the folder."""

from __future__ import annotations

import io
import os
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtime.runner.archive import ArchiveError
from overtime.runner.unpack import relative, unpack
from tests.unit.runner.zips import FILE, FOLDER, LINK, packed, tree

PART = st.text("abcdeäŁ漢-_. ", min_size=1, max_size=6).filter(lambda part: part.strip(".") != "")
FILES = st.dictionaries(
    st.lists(PART, min_size=1, max_size=3).map("/".join),
    st.tuples(
        st.binary(max_size=3000), st.integers(0o1, 0o777), st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    ),
    max_size=6,
).filter(lambda files: not any(other.startswith(f"{path}/") for path in files for other in files))
DOS_ARCHIVE = 0x20


@given(FILES)
@settings(max_examples=60)
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
    st.sampled_from(["..", "\\", "C:", "..\\", "\0", "a\\..\\.."]),
    st.lists(PART, max_size=2),
)
@settings(max_examples=100)
def test_a_name_that_leads_outside_is_refused_and_nothing_is_written(
    before: list[str], bad: str, after: list[str]
) -> None:
    name = "/".join([*([] if bad in ("\\", "C:") else before), bad, *after])
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
@settings(max_examples=300)
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


@pytest.mark.parametrize("reverse", [False, True])
def test_nothing_is_written_through_the_same_archives_link(tmp_path: Path, reverse: bool) -> None:  # noqa: FBT001
    """Of a link and what was to lie behind it, the later one counts."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    members = ("door", str(outside).encode(), LINK), ("door/bad", b"bad", FILE)
    unpack(memoryview(packed(*(members[::-1] if reverse else members))), str(root))
    assert list(outside.iterdir()) == []
    assert (root / "door").is_symlink() is reverse


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


def entries(root: Path) -> dict[str, str]:
    """Return what is below a folder, by path: a folder, a link with its aim, or a file with its content."""
    return {
        str(path.relative_to(root)): f"-> {path.readlink()}"
        if path.is_symlink()
        else "folder"
        if path.is_dir()
        else path.read_text()
        for path in root.rglob("*")
    }


A_FILE = ("lib", b"file", FILE)
A_LINK = ("lib", b"elsewhere", LINK)
A_LISTED_FOLDER = ("lib/", b"", FOLDER | 0o755 << 16)
IN_A_FOLDER = ("lib/a/b.py", b"1", FILE)
LINK_IN_A_FOLDER = ("lib/a/c", b"elsewhere", LINK)
KINDS = {
    "file": A_FILE,
    "link": A_LINK,
    "listed folder": A_LISTED_FOLDER,
    "folder": IN_A_FOLDER,
    "folder of a link": LINK_IN_A_FOLDER,
}
LEFT = {
    "file": {"lib": "file"},
    "link": {"lib": "-> elsewhere"},
    "listed folder": {"lib": "folder"},
    "folder": {"lib": "folder", "lib/a": "folder", "lib/a/b.py": "1"},
    "folder of a link": {"lib": "folder", "lib/a": "folder", "lib/a/c": "-> elsewhere"},
}


@pytest.mark.parametrize("apart", [True, False], ids=["in two archives", "in one archive"])
@pytest.mark.parametrize("later", KINDS)
@pytest.mark.parametrize("earlier", KINDS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_entries_of_one_name_the_later_counts_whatever_their_kinds(
    tmp_path: Path, earlier: str, later: str, *, apart: bool
) -> None:
    """A later layer shadows an earlier one also where one brings as a link or a file what the other has as a folder."""
    both = KINDS[earlier], KINDS[later]
    for archive in [both[:1], both[1:]] if apart else [both]:
        unpack(memoryview(packed(*archive, ("kept.py", b"2", FILE))), str(tmp_path))
    merged = LEFT[earlier] if "folder" in earlier and "folder" in later else {}
    assert entries(tmp_path) == {"kept.py": "2", **merged, **LEFT[later]}


def test_a_folder_that_gives_way_takes_all_that_is_in_it_and_nothing_behind_its_links(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    (outside / "folder").mkdir(parents=True)
    (outside / "file").write_text("precious")
    deep = "/".join(["d"] * 1050)
    below = ("lib/door", str(outside).encode(), LINK), ("lib/in/file", str(outside / "file").encode(), LINK)
    root.mkdir()
    unpack(memoryview(packed(*below, (f"lib/{deep}/a.py", b"1", FILE))), str(root))
    unpack(memoryview(packed(("lib", b"now", FILE))), str(root))
    assert entries(root) == {"lib": "now"}
    assert entries(outside) == {"folder": "folder", "file": "precious"}


def test_a_folder_takes_the_place_of_a_link_to_no_folder_and_not_of_what_that_points_to(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    root.mkdir()
    outside.write_text("precious")
    for aim in (str(outside), "nowhere", "lib"):
        unpack(memoryview(packed(("lib", aim.encode(), LINK))), str(root))
        unpack(memoryview(packed(IN_A_FOLDER)), str(root))
        assert (entries(root), outside.read_text()) == (LEFT["folder"], "precious")


def test_a_link_in_a_folders_place_leads_no_other_link_of_its_archive_outside(tmp_path: Path) -> None:
    """By another link that folder has a second name, under which the members' paths do not tell that it has gone."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (root / "real" / "sub").mkdir(parents=True)
    (root / "alias").symlink_to("real")
    gate, through = ("real/sub", str(outside).encode(), LINK), ("alias/sub/bad", b"x", LINK)
    with pytest.raises(ArchiveError, match=r"'alias/sub' is a link to '.*outside', outside of the folder"):
        unpack(memoryview(packed(gate, through)), str(root))
    assert list(outside.iterdir()) == []


def test_a_mode_reaches_nothing_behind_a_link(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir(mode=0o700)
    root.mkdir()
    members = ("lib/", b"", FOLDER | 0o777 << 16), ("lib", str(outside).encode(), LINK)
    unpack(memoryview(packed(*members)), str(root))
    assert stat.S_IMODE(outside.stat().st_mode) == 0o700


def test_a_folder_of_an_earlier_archive_gets_the_later_ones_mode(tmp_path: Path) -> None:
    for mode in (0o700, 0o755):
        unpack(memoryview(packed(("lib/", b"", FOLDER | mode << 16))), str(tmp_path))
        assert stat.S_IMODE((tmp_path / "lib").stat().st_mode) == mode


@pytest.mark.parametrize("name", ["/app.py", "./app.py", "//./app.py", "/./app.py"])
def test_a_name_that_begins_at_the_root_begins_at_the_folders(tmp_path: Path, name: str) -> None:
    """Info-ZIP strips the slash with a warning; Go's and Java's writers let it through."""
    unpack(memoryview(packed((name, b"1", FILE))), str(tmp_path))
    assert tree(tmp_path) == {"app.py": b"1"}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    members = ("run.sh", b"#", FILE | 0o755 << 16), ("folder/", b"", FOLDER | 0o775 << 16)
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
    unpack(memoryview(packed(("locked/", b"", FOLDER | 0o555 << 16), ("locked/file", b"1", FILE))), str(tmp_path))
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
