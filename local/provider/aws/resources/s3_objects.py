"""Objects in S3 buckets, whose content is a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.archives import content
from local.provider.aws.resources.s3 import GONE
from local.provider.aws.schema import Change, ResourceType, file, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_MISSING = ("NoSuchKey", *GONE)


def _put(aws: Aws, bucket: str, key: str, given: Values) -> None:
    aws.s3.put_object(Bucket=bucket, Key=key, Body=content(key, given["source"]))


def _create(aws: Aws, given: Values) -> str:
    bucket, key = str(given["bucket"]), str(given["key"])
    _put(aws, bucket, key, given)
    return f"{bucket}/{key}"


def _read(aws: Aws, name: str, _known: Values) -> Values | None:
    bucket, _, key = name.partition("/")
    found = unless_gone(lambda: aws.s3.head_object(Bucket=bucket, Key=key), *_MISSING)
    if found is None:
        return None
    return {
        "bucket": bucket,
        "key": key,
        "arn": f"arn:{aws.partition}:s3:::{name}",
        "etag": found["ETag"].strip('"'),
        "versionId": found.get("VersionId", "null"),
    }


def _update(aws: Aws, change: Change) -> None:
    bucket, _, key = change.id.partition("/")
    _put(aws, bucket, key, change.new)


def _delete(aws: Aws, name: str, _known: Values) -> None:
    """Delete every version: without one of them named, S3 would only add a mark on top."""
    bucket, _, key = name.partition("/")

    def delete() -> None:
        for page in aws.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
            for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if each["Key"] == key:
                    aws.s3.delete_object(Bucket=bucket, Key=key, VersionId=each["VersionId"])

    unless_gone(delete, *_MISSING)


OBJECT = ResourceType(
    token="aws:s3/bucketObjectv2:BucketObjectv2",  # noqa: S106
    properties={
        "bucket": text(required=True, replaces=True),
        "key": text(required=True, replaces=True),
        "source": file(required=True, told=False),
        "sourceHash": text(told=False),
    },
    outputs={"arn": (), "etag": ("source", "sourceHash"), "versionId": ("source", "sourceHash")},
    identity=("bucket", "key"),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
