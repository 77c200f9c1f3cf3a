"""A folder with executables: packed by us, because Pulumi would forget which files are executable."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
from hypothesis import given, settings
from hypothesis import strategies as st

from local.provider.aws.archives import zipped
from local.provider.aws.values import Archive
from overtime.components import archives, code_zip
from overtime.runner.unpack import unpack
from overtime.settings import code

if TYPE_CHECKING:
    import pytest

    from overtime.settings import StackContext
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

PROGRAM = """
import sys
from pathlib import Path
from overtime.components import archives
print(archives.code(Path(sys.argv[1])).path)
"""


def folder(path: Path, executables: tuple[str, ...] = ("bootstrap", "bin/tool")) -> Path:
    for name in ("bootstrap", "bin/tool", "data.json"):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n# {name}\n")
        file.chmod(0o755 if name in executables else 0o644)
    return path


def packed(path: Path) -> bytes:
    archive = archives.code(path)
    assert isinstance(archive, pulumi.FileArchive)
    assert archive.path.endswith(".zip")  # the engine recognizes an archive by its name
    return Path(archive.path).read_bytes()


def modes(path: Path) -> dict[str, int]:
    return {file.relative_to(path).as_posix(): stat.S_IMODE(file.stat().st_mode) for file in code.files(path, "*")}


def test_an_executable_stays_executable_until_it_is_in_the_container(tmp_path: Path) -> None:
    """Through the zip, the provider of local stacks, which sends it as it is, and the runner."""
    data = packed(folder(tmp_path / "code"))
    uploaded = zipped(Archive(path=archives.code(tmp_path / "code").path))  # type: ignore[attr-defined]
    assert uploaded == data
    (tmp_path / "task").mkdir()
    assert unpack(memoryview(uploaded), str(tmp_path / "task")) == 3
    assert modes(tmp_path / "task") == {"bin/tool": 0o755, "bootstrap": 0o755, "data.json": 0o644}
    assert (tmp_path / "task" / "bootstrap").read_bytes() == (tmp_path / "code" / "bootstrap").read_bytes()


def test_the_same_files_are_the_same_bytes_for_everyone(tmp_path: Path) -> None:
    """Another folder, another umask, other times and another order of creation are no change."""
    one, other = folder(tmp_path / "one"), tmp_path / "other"
    other.mkdir()
    for name in ("data.json", "bootstrap", "bin/tool"):
        (other / name).parent.mkdir(exist_ok=True)
        (other / name).write_bytes((one / name).read_bytes())
        (other / name).chmod(0o600 if name == "data.json" else 0o700)
        os.utime(other / name, (1_000_000_000, 1_000_000_000))
    assert packed(one) == packed(other)
    assert archives.code(one).path == archives.code(other).path  # type: ignore[attr-defined]


def test_the_order_of_files_is_no_change(tmp_path: Path) -> None:
    """File systems list them in any order."""
    members = {file.name: file for file in code.files(folder(tmp_path), "*")}
    backwards = dict(reversed(members.items()))
    assert code_zip.packed(members) == code_zip.packed(backwards)


def test_a_changed_mode_is_a_change(tmp_path: Path) -> None:
    assert packed(folder(tmp_path / "one")) != packed(folder(tmp_path / "other", ("bootstrap",)))


def test_a_folder_without_executables_is_left_to_pulumi(tmp_path: Path) -> None:
    """What was deployed before must not change."""
    assert isinstance(archives.code(folder(tmp_path, ())), pulumi.AssetArchive)


@given(size=st.integers(0, 3000))
@settings(max_examples=20)
def test_the_size_of_a_stored_zip_is_known_before(size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """At most a few bytes a file more: the descriptor after a member, which a file on disk needs none of."""
    path = tmp_path_factory.mktemp("code")
    (path / "bootstrap").write_bytes(bytes(size))
    (path / "bootstrap").chmod(0o755)
    expected = code.stored_size({"bootstrap": path / "bootstrap"})
    assert expected - 16 <= len(packed(path)) <= expected


def test_what_would_be_too_large_to_upload_is_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it is stored: not every zlib compresses alike."""

    def methods() -> set[int]:
        with zipfile.ZipFile(archives.code(tmp_path).path) as archive:  # type: ignore[attr-defined]
            return {entry.compress_type for entry in archive.infolist()}

    folder(tmp_path)
    assert methods() == {zipfile.ZIP_STORED}
    (tmp_path / "data.json").write_text(" " * 1000)
    monkeypatch.setattr(code_zip, "LARGEST_UPLOAD", 1000)
    assert methods() == {zipfile.ZIP_DEFLATED}


def test_nobody_else_can_replace_it(tmp_path: Path) -> None:
    """Temporary folders are shared; this one is the user's own."""
    archive = Path(archives.code(folder(tmp_path)).path)  # type: ignore[attr-defined]
    assert stat.S_IMODE(archive.parent.stat().st_mode) == 0o700


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """The zip goes with the process; the engine reads it while the program runs."""
    command = [sys.executable, "-c", PROGRAM, str(folder(tmp_path / "code"))]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert Path(done.stdout.strip()).parent.parent == tmp_path
    assert not Path(done.stdout.strip()).parent.exists()
    assert done.stderr == ""


def test_it_is_what_is_deployed(deploy: Deploy, recorder: Recorder, context: StackContext) -> None:
    (context.root / "helper").write_text("#!/bin/sh\n")
    (context.root / "helper").chmod(0o755)
    deploy()
    archive = recorder.inputs("Function", "report-function")["code"]
    assert isinstance(archive, pulumi.FileArchive)
    with zipfile.ZipFile(archive.path) as found:
        entries = found.infolist()
    assert {entry.filename: entry.external_attr >> 16 & 0o777 for entry in entries} == {
        "handler.py": 0o644,
        "helper": 0o755,
    }
    assert {entry.create_system for entry in entries} == {3}, "modes are read from archives made on Unix only"
