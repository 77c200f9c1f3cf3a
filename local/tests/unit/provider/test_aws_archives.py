from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from local.errors import LocalError
from local.provider.aws.archives import zipped
from local.provider.aws.values import Archive, Asset

if TYPE_CHECKING:
    from pathlib import Path


def content(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return {name: found.read(name) for name in found.namelist()}


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    """Neither the order in which files are named nor their times and modes show in the zip."""
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    for file in (one, other):
        file.write_text("pass\n")
    first = zipped(Archive(members={"a.py": Asset(path=str(one)), "b.py": Asset(path=str(other))}))
    os.utime(one, (1, 1))
    one.chmod(0o700)
    second = zipped(Archive(members={"b.py": Asset(path=str(other)), "a.py": Asset(path=str(one))}))
    assert first == second


def test_other_content_makes_other_bytes() -> None:
    assert zipped(Archive(members={"a": Asset(text="1")})) != zipped(Archive(members={"a": Asset(text="2")}))


def test_archives_in_archives_are_folders(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "c.txt").write_text("c")
    packed = zipped(Archive(members={"x": Archive(path=str(folder)), "y": Archive(members={"d.txt": Asset(text="d")})}))
    assert content(packed) == {"x/deep/c.txt": b"c", "y/d.txt": b"d"}


def test_a_zip_file_goes_as_it_is(tmp_path: Path) -> None:
    """Modes and order in a zip that somebody made are theirs."""
    path = tmp_path / "code.zip"
    path.write_bytes(b"not even a zip")
    assert zipped(Archive(path=str(path))) == b"not even a zip"


def test_a_zip_file_in_an_archive_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "inner.zip"
    path.write_bytes(zipped(Archive(members={"m.py": Asset(text="m")})))
    assert content(zipped(Archive(members={"lib": Archive(path=str(path))}))) == {"lib/m.py": b"m"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = Archive(members={"a": Asset(path=str(tmp_path / "gone.py"))})
    with pytest.raises(LocalError, match=r"gone\.py' cannot be read \(No such file"):
        zipped(missing)


@pytest.mark.parametrize("archive", [Archive(path="/none/code.tar"), Archive(uri="https://example.com/code.zip")])
def test_archives_that_cannot_be_read_are_named(archive: Archive) -> None:
    with pytest.raises(LocalError, match=r"code\..* is neither a folder nor a \.zip or \.jar file here"):
        zipped(archive)


def test_a_file_elsewhere_is_named() -> None:
    with pytest.raises(LocalError, match=r"The file 'a' is at 'https://example\.com/a'"):
        zipped(Archive(members={"a": Asset(uri="https://example.com/a")}))
