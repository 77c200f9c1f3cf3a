"""How large a function's code may be, told before it is uploaded."""

from __future__ import annotations

import errno
import io
import os
import random
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from overtime.components import archives
from overtime.settings import SettingsError, StackContext, code, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

KILOBYTE = 1024


@pytest.fixture
def context(tmp_path: Path) -> StackContext:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "handler.py").write_text("def handler(event, context): ...")
    return StackContext(project="overtime", stack="dev", root=tmp_path)


@pytest.fixture
def thousandth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Lambda take a thousandth of what it takes, so that a test need not pack 50 MB of noise."""
    monkeypatch.setattr(code, "LARGEST_UPLOAD", 50 * KILOBYTE)
    monkeypatch.setattr(code, "MEGABYTE", KILOBYTE)


def report_of(context: StackContext, **function: object) -> str:
    data = {"functions": {"report": {"code": "code", "handler": "handler.handler", **function}}}
    try:
        parse(data, context)
    except SettingsError as error:
        return str(error).replace(str(context.root), "ROOT")
    return ""


def large(path: Path, size: int) -> None:
    """Make a file that says it is so large, and takes no room."""
    with path.open("wb") as file:
        file.truncate(size)


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def test_the_limits_are_lambdas() -> None:
    """50 MB zipped is what fits a request; 262144000 bytes unzipped is the number in Lambda's own refusal."""
    assert (code.LARGEST_UPLOAD, code.LARGEST_UNPACKED) == (52_428_800, 262_144_000)


@pytest.mark.parametrize(("size", "fits"), [(50 * 1024 * KILOBYTE, True), (50 * 1024 * KILOBYTE + 1, False)])
def test_a_zip_over_50_mb_goes_through_s3(tmp_path: Path, size: int, *, fits: bool) -> None:
    large(tmp_path / "code.zip", size)
    assert code.fits_request(tmp_path / "code.zip") is fits


def test_zip_too_large_unpacked(context: StackContext) -> None:
    """A zip whose files have more than 250 MB is refused, however small it is."""
    with zipfile.ZipFile(context.root / "code.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("handler.py", "")
        with archive.open("zeros", "w") as member:
            for _ in range(251):
                member.write(bytes(1024 * KILOBYTE))
    report = report_of(context, code="code.zip")
    assert "'ROOT/code.zip' has 251 MB unzipped; Lambda accepts at most 250 MB, including layers." in report


def test_folder_too_large_unpacked(context: StackContext) -> None:
    """A folder of more than 250 MB is refused; what is not packed does not count."""
    large(context.root / "code" / "model.bin", 249 * 1024 * KILOBYTE)
    (context.root / "code" / ".git").mkdir()
    large(context.root / "code" / ".git" / "pack", 10 * 1024 * KILOBYTE)
    assert code.unpacked_size(context.root / "code") < code.LARGEST_UNPACKED
    large(context.root / "code" / "more.bin", 2 * 1024 * KILOBYTE)
    assert "'ROOT/code' has 251 MB unzipped" in report_of(context)


@pytest.mark.usefixtures("thousandth")
@pytest.mark.parametrize(("size", "fits"), [(44, True), (47, False), (60, False)])
def test_a_folder_near_50_mb_goes_through_s3(context: StackContext, size: int, *, fits: bool) -> None:
    """What packs it for the upload may compress a little less, so not all of the limit counts."""
    (context.root / "code" / "noise.bin").write_bytes(noise(size * KILOBYTE))
    assert code.fits_request(context.root / "code") is fits
    assert report_of(context) == ""


@pytest.mark.usefixtures("thousandth")
def test_a_folder_that_packs_well_does_not(context: StackContext) -> None:
    """What counts is the packed size."""
    (context.root / "code" / "table.csv").write_text("2026-11-24,Berlin,12.50\n" * 5_000)
    assert code.unpacked_size(context.root / "code") > code.LARGEST_UPLOAD
    assert code.fits_request(context.root / "code")


@pytest.mark.usefixtures("thousandth")
def test_many_small_files(context: StackContext) -> None:
    """The archive's own headers count, too: files of less than 45 MB may make a zip of more."""
    for number in range(100):
        (context.root / "code" / f"part_{number:03}.bin").write_bytes(noise(440))
    assert code.unpacked_size(context.root / "code") < 45 * KILOBYTE
    assert not code.fits_request(context.root / "code")


def test_packed_size_is_that_of_an_archive(tmp_path: Path) -> None:
    """The size that is worked out is that of a zip which is written in one go, to the byte."""
    (tmp_path / "pkg").mkdir()
    for name, content in (("handler.py", b"pass\n" * 99), ("pkg/noise.bin", noise(3_000_000)), ("pkg/empty", b"")):
        (tmp_path / name).write_bytes(content)
    written = io.BytesIO()
    socket = Mock(spec=["write", "flush"], write=written.write)  # so that sizes follow the data
    with zipfile.ZipFile(socket, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in code.files(tmp_path, "*"):
            archive.write(file, file.relative_to(tmp_path))
    members = {file.relative_to(tmp_path).as_posix(): file for file in code.files(tmp_path, "*")}
    assert code.zipped_size(members) == len(written.getvalue())


def test_a_linked_folder_is_deployed_with_what_is_in_it(context: StackContext, tmp_path: Path) -> None:
    """Shared code is often linked into each function's folder; the check of the handler has always followed it."""
    (tmp_path / "shared" / "deep").mkdir(parents=True)
    for file in ("app.py", "deep/more.py"):
        (tmp_path / "shared" / file).write_text("def main(event, context): ...")
    (context.root / "code" / "lib").symlink_to(tmp_path / "shared")
    (context.root / "code" / "twice").symlink_to("lib")
    assert report_of(context, handler="lib.app.main") == ""
    found = {file.relative_to(context.root / "code").as_posix() for file in code.files(context.root / "code", "*")}
    linked = {f"{folder}/{file}" for folder in ("lib", "twice") for file in ("app.py", "deep/more.py")}
    assert found == {"handler.py", *linked}
    archive = archives.code(context.root / "code")
    assert set(archive.assets) == found  # type: ignore[attr-defined]


@pytest.mark.parametrize(("link", "to"), [("loop", "."), ("sub/up", ".."), ("gone.py", "nowhere.py"), ("me", "me")])
def test_a_link_that_no_archive_can_follow_is_told(context: StackContext, link: str, to: str) -> None:
    (context.root / "code" / "sub").mkdir()
    (context.root / "code" / link).symlink_to(to)
    assert (
        f"'ROOT/code' cannot be deployed: {link!r} is a broken link, or a link to a folder that contains it."
        " Remove it or change its target."
    ) in report_of(context)


@pytest.mark.parametrize("name", ["./app.py", "/app.py", ".//app.py", "./app/__init__.py"])
def test_a_zip_may_spell_its_names_in_full(context: StackContext, name: str) -> None:
    """`zip code.zip ./app.py` keeps the dot; Lambda finds the module all the same."""
    with zipfile.ZipFile(context.root / "code.zip", "w") as archive:
        archive.writestr(name, "")
    assert report_of(context, code="code.zip", handler="app.main") == ""


def test_a_name_that_no_archive_can_have_is_told(context: StackContext) -> None:
    """On Linux, a name may be any bytes; those of a zip are texts."""
    (context.root / "code" / os.fsdecode(b"caf\xe9.py")).write_text("")
    text = report_of(context)
    assert "'ROOT/code' cannot be deployed: the name of 'caf\\udce9.py' is not in UTF-8. Rename it." in text


def test_a_file_that_you_may_not_read_is_told(context: StackContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that ran as root often leaves such files behind."""
    monkeypatch.setattr(os, "access", lambda path, _: path.name != "handler.py")
    report = report_of(context)
    assert "'ROOT/code' cannot be deployed: you may not read 'handler.py'. Change its permissions." in report


def test_a_folder_that_you_may_not_read_is_told(context: StackContext, monkeypatch: pytest.MonkeyPatch) -> None:
    (context.root / "code" / "hidden").mkdir()
    listed = Path.iterdir

    def listing(path: Path) -> Iterator[Path]:
        if path.name == "hidden":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", listing)
    report = report_of(context)
    assert "'ROOT/code' cannot be deployed: you may not read 'ROOT/code/hidden'. Change its permissions." in report


def test_a_zip_that_cannot_be_read_is_told(context: StackContext) -> None:
    """Its end is there, so it is a zip; its list of files is not what the end says."""
    with zipfile.ZipFile(context.root / "code.zip", "w") as archive:
        archive.writestr("handler.py", "")
    whole = (context.root / "code.zip").read_bytes()
    for change in (whole.replace(b"PK\1\2", b"XX\1\2"), marked_as_utf8(whole.replace(b"handler.py", b"handl\xe8r.py"))):
        (context.root / "code.zip").write_bytes(change)
        report = report_of(context, code="code.zip")
        assert "'ROOT/code.zip' cannot be deployed: its list of files cannot be read (" in report


def marked_as_utf8(archive: bytes) -> bytes:
    entry = archive.index(b"PK\1\2")
    return archive[: entry + 9] + bytes([archive[entry + 9] | 8]) + archive[entry + 10 :]


@pytest.mark.parametrize(
    ("handler", "fix"),
    [("handler.py", "handler.handler"), ("lib/app.py", "lib/app.handler"), ("handler.main.py", "handler.main")],
)
def test_a_handler_that_names_a_file_is_told(context: StackContext, handler: str, fix: str) -> None:
    """The module is there, so only the name of its function is wrong."""
    (context.root / "code" / "lib").mkdir()
    (context.root / "code" / "lib" / "app.py").touch()
    report = report_of(context, handler=handler)
    assert "This is a file name, so Lambda would look for a function named py." in report
    assert report.endswith(f"pulumi config set --path overtime:functions.report.handler {fix}")
