"""The bucket through which code reaches Lambda that is too large for a request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from overtime.components import archives
from overtime.components.sealed_bucket import seal

if TYPE_CHECKING:
    from pathlib import Path

_REPLACED_DAYS = 7
"""How long a replaced version is kept: Lambda has its own copy as soon as the function is deployed."""


@dataclass(frozen=True, kw_only=True)
class StoredCode:
    """A version of an object, from which Lambda takes a function's code."""

    bucket: pulumi.Output[str]
    key: pulumi.Output[str]
    version: pulumi.Output[str]


class CodeStore(pulumi.ComponentResource):
    """A bucket with an object for each function whose code is large.

    It contains nothing but copies of what is deployed, so it can be deleted with all its objects.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:CodeStore", name, {}, opts)

        self._bucket = aws.s3.Bucket(f"{name}-objects", force_destroy=True, opts=pulumi.ResourceOptions(parent=self))
        seal(name, self._bucket, self)
        self._versioning = aws.s3.BucketVersioning(
            f"{name}-versions",
            bucket=self._bucket.bucket,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._expire(name)
        self.register_outputs({"bucket_name": self._bucket.bucket})

    def put(self, key: str, path: Path) -> StoredCode:
        """Declare the upload of a function's code; `key` is the function's name."""
        file = archives.file(path)
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        stored = aws.s3.BucketObjectv2(
            f"{key}-code",
            bucket=self._bucket.bucket,
            key=f"{key}.zip",
            source=pulumi.FileAsset(str(file)),
            source_hash=digest,
            # Without versioning, an object has no version by which Lambda could be told of new code.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._versioning]),
        )
        return StoredCode(bucket=stored.bucket, key=stored.key, version=stored.version_id)

    def _expire(self, name: str) -> None:
        rule = aws.s3.BucketLifecycleConfigurationRuleArgs
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-expiry",
            bucket=self._bucket.bucket,
            rules=[
                rule(
                    id="expire-replaced-code",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    noncurrent_version_expiration=(
                        aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                            noncurrent_days=_REPLACED_DAYS
                        )
                    ),
                    abort_incomplete_multipart_upload=(
                        aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                            days_after_initiation=_REPLACED_DAYS
                        )
                    ),
                )
            ],
            # S3 lets a bucket's versions expire only once it has versions.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._versioning]),
        )
