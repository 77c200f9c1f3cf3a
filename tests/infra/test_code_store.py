"""Code that is too large for a request to Lambda goes through a bucket, which other stacks do not have."""

from __future__ import annotations

import hashlib
import random
import zipfile
from typing import TYPE_CHECKING

import pulumi
import pytest

from overtime.components import archives
from overtime.settings import code

if TYPE_CHECKING:
    from pathlib import Path

    from overtime.settings import StackContext
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

BUCKET = "overtime-code-objects-0a1b2c3"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, context: StackContext) -> Path:
    """Let Lambda take less, and give a zip that is larger."""
    monkeypatch.setattr(code, "LARGEST_UPLOAD", 4096)
    with zipfile.ZipFile(context.root / "large.zip", "w") as archive:
        archive.writestr("handler.py", "def handler(event, context): ...")
        archive.writestr("noise.bin", random.Random(1).randbytes(5000))
    (context.root / "small").mkdir()
    (context.root / "small" / "handler.py").write_text("def handler(event, context): ...")
    return context.root / "large.zip"


def test_a_function_with_large_code_takes_a_version_of_an_object(
    deploy: Deploy, recorder: Recorder, large: Path
) -> None:
    deploy({"large": {"code": "large.zip"}, "small": {"code": "small"}})
    stored = recorder.inputs("BucketObjectv2", "overtime-test-large-code")
    source = stored.pop("source")
    assert isinstance(source, pulumi.FileAsset)
    assert source.path == str(large)
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    assert stored == {"bucket": BUCKET, "key": "overtime-test-large.zip", "sourceHash": digest}
    inputs = recorder.inputs("Function", "large-function")
    assert "code" not in inputs
    assert (inputs["s3Bucket"], inputs["s3Key"], inputs["s3ObjectVersion"]) == (BUCKET, stored["key"], "v1")
    assert not {"s3Bucket", "s3Key", "s3ObjectVersion"} & recorder.inputs("Function", "small-function").keys()
    assert len(recorder.all("BucketObjectv2")) == 1


@pytest.mark.usefixtures("large")
def test_a_large_folder_is_packed_with_its_executable_bits(deploy: Deploy, recorder: Recorder, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "handler.py").write_text("def handler(event, context): ...")
    (folder / "tool").write_bytes(random.Random(1).randbytes(5000))
    (folder / "tool").chmod(0o755)
    deploy({"large": {"code": str(folder)}})
    source = recorder.inputs("BucketObjectv2", "overtime-test-large-code")["source"]
    with zipfile.ZipFile(source.path) as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert modes == {"handler.py": 0o644, "tool": 0o755}


@pytest.mark.usefixtures("large")
def test_the_bucket_keeps_versions_and_is_sealed(deploy: Deploy, recorder: Recorder) -> None:
    deploy({"large": {"code": "large.zip"}})
    assert recorder.inputs("Bucket", "overtime-code-objects") == {"forceDestroy": True}
    assert recorder.inputs("BucketVersioning", "overtime-code-versions") == {
        "bucket": BUCKET,
        "versioningConfiguration": {"status": "Enabled"},
    }
    [rule] = recorder.inputs("BucketServerSideEncryptionConfiguration", "overtime-code-encryption")["rules"]
    assert rule == {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    block = recorder.inputs("BucketPublicAccessBlock", "overtime-code-private")
    assert block.pop("bucket") == BUCKET
    assert len(block) == 4
    assert all(block.values())
    assert "aws:SecureTransport" in recorder.inputs("BucketPolicy", "overtime-code-tls-only")["policy"]
    [rule] = recorder.inputs("BucketLifecycleConfiguration", "overtime-code-expiry")["rules"]
    assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 7}
    assert "expiration" not in rule, "what is deployed must stay, or Pulumi would upload it again"
    for kind, name in (
        ("BucketObjectv2", "overtime-test-large-code"),
        ("BucketLifecycleConfiguration", "overtime-code-expiry"),
    ):
        assert any(urn.endswith("::overtime-code-versions") for urn in recorder.one(kind, name).after)


def test_without_large_code_there_is_no_such_bucket(deploy: Deploy, recorder: Recorder) -> None:
    deploy()
    assert [each.name for each in recorder.all("Bucket")] == ["overtime-ledger-objects"]


def test_a_zip_stays_as_it_is(large: Path) -> None:
    assert archives.file(large) == large
