"""Code as large as Lambda takes, which is deployed through S3; and a folder with an executable file."""

from __future__ import annotations

import hashlib
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunState
from tests.e2e.chain import Chain, function, stack_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.stack import Machine

pytestmark = pytest.mark.e2e

MB = 1024 * 1024
NOISE, ZEROS = 120 * MB, 129 * MB
LARGE = """
import hashlib, time
from pathlib import Path

def handler(event, context):
    while context.get_remaining_time_in_millis() < 60_000:  # on Lambda
        time.sleep(0.05)
    with open("/var/task/noise.bin", "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return [digest, Path("/var/task/zeros.bin").stat().st_size]
"""
TOOL = """
import subprocess

def handler(event, context):
    return subprocess.check_output(["/var/task/bin/tool"], text=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a zip of 120 MB with 249 MB in it, and a folder with a program."""
    made: Path = tmp_path_factory.mktemp("large")
    with zipfile.ZipFile(made / "large.zip", "w") as archive:
        archive.writestr("app.py", LARGE)
        archive.writestr("noise.bin", os.urandom(NOISE))
        archive.writestr("zeros.bin", bytes(ZEROS), zipfile.ZIP_DEFLATED, compresslevel=1)
    (made / "tool" / "bin").mkdir(parents=True)
    (made / "tool" / "app.py").write_text(TOOL)
    (made / "tool" / "bin" / "tool").write_text("#!/bin/sh\necho it runs\n")
    (made / "tool" / "bin" / "tool").chmod(0o755)
    return made


@pytest.fixture(scope="module")
def large(here: Machine, folder: Path) -> Iterator[Chain]:
    """Deploy both."""
    functions = {
        "large": function("app.handler", here.runtime, code=str(folder / "large.zip"), attempts=1, timeout_seconds=1),
        "tool": function("app.handler", here.runtime, code=str(folder / "tool")),
    }
    deployment = here.deployment(stack_of(functions, here.runtime, here.base.reference), stack="large")
    try:
        yield Chain(here, deployment.up().outputs)
    finally:
        deployment.destroy(remove=True)


def test_a_zip_of_120_mb_is_deployed_through_s3_and_finishes_in_a_task_of_512_mib(large: Chain, folder: Path) -> None:
    name, s3 = large.function("large").name, large.session.client("s3")
    [bucket] = [each["Name"] for each in s3.list_buckets()["Buckets"] if each["Name"].startswith("overtime-code-")]
    [stored] = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert (stored["Key"], stored["Size"]) == (f"{name}.zip", (folder / "large.zip").stat().st_size)
    assert stored["VersionId"] != "null"
    assert stored["Size"] > NOISE

    run = large.run("large")
    assert (run.state, run.reason) == (RunState.SUCCEEDED, None)
    assert run.failure.error_message is not None
    assert "Task timed out" in run.failure.error_message
    with zipfile.ZipFile(folder / "large.zip") as archive, archive.open("noise.bin") as noise:
        digest = hashlib.file_digest(noise, "sha256").hexdigest()  # type: ignore[arg-type]
    assert large.document("large", run) == [digest, ZEROS]


def test_an_executable_file_of_a_folder_can_be_executed(large: Chain) -> None:
    run = large.run("tool")
    assert (run.state, run.reason) == (RunState.SUCCEEDED, None)
    assert large.document("tool", run) == "it runs\n"
