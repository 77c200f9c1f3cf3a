"""The archives of dispatcher and watcher: complete, exact, and the same every time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
import pytest

from overtime.components import archives, lambda_archive
from overtime.components.lambda_archive import LOCK, LambdaArchiveError, members

if TYPE_CHECKING:
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

LOCKED = {"aws-lambda-powertools": "3.37.0", "jmespath": "1.1.0", "typing-extensions": "4.16.0"}
IN_LAMBDA = ("boto3", "botocore", "s3transfer", "python-dateutil", "urllib3", "six")
"""What Lambda's Python runtime brings; jmespath, which it brings too, has to come from the archive."""
IMPORT = """
import sys
part, *sys.path[:0] = sys.argv[1:]
from importlib import import_module
assert callable(import_module(f"overtime.lambdas.{part}.handler").handler)
for name in ("aws_lambda_powertools", "jmespath", "typing_extensions", "overtime", "overtime.lambdas"):
    loaded = sys.modules.get(name)
    if loaded:
        print(name, loaded.__file__)
"""


BOTH = pytest.mark.parametrize("part", ["dispatcher", "watcher"])


def unpacked(part: str, folder: Path) -> Path:
    for name, source in members(part).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    return folder


@BOTH
def test_works_alone(part: str, tmp_path: Path) -> None:
    """With nothing but the archive and what Lambda brings on the path, the handler can be imported."""
    archive, runtime = unpacked(part, tmp_path / "archive"), tmp_path / "runtime"
    runtime.mkdir()
    for name in IN_LAMBDA:
        for top in {file.parts[0] for file in distribution(name).files or []}:
            source = Path(str(distribution(name).locate_file(top)))
            if source.exists() and ".." not in top:
                (runtime / top).symlink_to(source)

    command = [sys.executable, "-I", "-S", "-c", IMPORT, part, str(archive), str(runtime)]
    environment = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "POWERTOOLS_SERVICE_NAME": part,
        "POWERTOOLS_METRICS_NAMESPACE": "overtime",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    loaded = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert {"aws_lambda_powertools", "jmespath", "overtime", "overtime.lambdas"} <= set(loaded)
    assert [name for name, file in loaded.items() if not file.startswith(str(archive))] == []


@BOTH
def test_exact_versions(part: str) -> None:
    """The archive has the metadata of exactly the locked versions, and of no other library."""
    libraries = {name.split("/", 1)[0] for name in members(part) if ".dist-info/" in name}
    assert libraries == {f"{name.replace('-', '_')}-{version}.dist-info" for name, version in LOCKED.items()}
    for name, version in LOCKED.items():
        assert f"{name}=={version} " in LOCK.read_text()


def test_every_locked_library_is_there() -> None:
    """No requirement of the lock file is overlooked."""
    pinned = [line for line in LOCK.read_text().splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pinned) == len(LOCKED)


@BOTH
def test_our_sources(part: str) -> None:
    """Of our own there is the function and what it imports, nothing else."""
    ours = {name for name in members(part) if name.startswith("overtime/")}
    folders = {name.rpartition("/")[0] for name in ours}
    assert folders == {
        *("overtime", "overtime/contract", "overtime/ledger", "overtime/lambdas", f"overtime/lambdas/{part}")
    }
    assert {f"overtime/lambdas/{part}/handler.py", "overtime/ledger/store.py", "overtime/errors.py"} <= ours
    assert all(name.endswith(".py") for name in ours)


@BOTH
def test_no_leftovers(part: str) -> None:
    """Nothing that an installer or interpreter leaves behind is shipped: it would change the archive by itself."""
    names = list(members(part))
    assert [name for name in names if "__pycache__" in name or name.endswith((".pyc", "RECORD", "INSTALLER"))] == []
    assert [name for name in names if name.startswith(("/", "..")) or "/../" in name] == []


@BOTH
def test_licences_travel(part: str) -> None:
    """Each library's licence is in the archive, as most of them ask for."""
    for name, version in LOCKED.items():
        folder = f"{name.replace('-', '_')}-{version}.dist-info/"
        files = [each.removeprefix(folder) for each in members(part) if each.startswith(folder)]
        assert [each for each in files if "LICEN" in each.upper()], name


@BOTH
def test_same_every_time(part: str) -> None:
    """The archive lists the same files in the same order, so it changes only when a file does."""
    first, second = (archives.of_files(members(part), {"b.json": "{}", "a.json": "{}"}) for _ in range(2))
    assert list(first.assets) == list(second.assets) == sorted(first.assets)  # type: ignore[attr-defined]


def test_it_is_what_is_deployed(deploy: Deploy, recorder: Recorder) -> None:
    """The code of both is their archive; the watcher's has the table of its functions beside it."""
    deploy()

    code = recorder.inputs("Function", "report-dispatcher-function")["code"]
    assert {name: Path(asset.path) for name, asset in code.assets.items()} == members("dispatcher")
    watcher = dict(recorder.inputs("Function", "overtime-watcher-function")["code"].assets)
    assert isinstance(watcher.pop("functions.json"), pulumi.StringAsset)
    assert {name: Path(asset.path) for name, asset in watcher.items()} == members("watcher")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("jmespath==0.9.0 \\", "'jmespath' 0.9.0, the version they are tested with, but version '1.1.0' is installed"),
        ("no-such-library==1.0", "'no-such-library' 1.0, the version they are tested with, but it is not installed"),
    ],
)
def test_other_versions_are_refused(line: str, found: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment with other versions than the locked ones is told what to install."""
    (tmp_path / "requirements.lock").write_text(f"{line}\n    --hash=sha256:00\n")
    monkeypatch.setattr(lambda_archive, "LOCK", tmp_path / "requirements.lock")

    with pytest.raises(LambdaArchiveError) as caught:
        members("dispatcher")

    assert found in str(caught.value)
    assert "uv pip sync requirements.lock" in str(caught.value)
