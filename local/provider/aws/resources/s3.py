"""S3 buckets; what is set on them is in `s3_settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.shapes import tag_list, tags_of
from local.provider.aws.schema import Change, Naming, ResourceType, flag, mapping, text
from local.provider.aws.session import refused_with, unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

GONE = ("NoSuchBucket", "404")
BUSY = refused_with("OperationAborted")
"""S3 takes one change of a bucket at a time."""
_NO_TAGS = "NoSuchTagSet"
_FIRST_REGION = "us-east-1"
"""The region that S3 takes no constraint for."""


def _create(aws: Aws, given: Values) -> str:
    name = str(given["bucket"])
    if aws.region == _FIRST_REGION:
        aws.s3.create_bucket(Bucket=name)
    else:
        place = {"LocationConstraint": aws.region}
        aws.s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)  # type: ignore[arg-type]
    return name


def _finish(aws: Aws, name: str, given: Values) -> None:
    if given["tags"]:
        _tag(aws, name, given["tags"])


def _tag(aws: Aws, name: str, tags: dict[str, str] | None) -> None:
    if tags:
        aws.when(lambda: aws.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(tags)}), BUSY)
    else:
        aws.when(lambda: aws.s3.delete_bucket_tagging(Bucket=name), BUSY)


def _read(aws: Aws, name: str, _known: Values) -> Values | None:
    if unless_gone(lambda: aws.s3.head_bucket(Bucket=name), *GONE) is None:
        return None
    tags = unless_gone(lambda: aws.s3.get_bucket_tagging(Bucket=name)["TagSet"], _NO_TAGS)
    region = aws.s3.get_bucket_location(Bucket=name).get("LocationConstraint") or _FIRST_REGION
    return {
        "bucket": name,
        "tags": tags_of(tags or []),
        "arn": f"arn:{aws.partition}:s3:::{name}",
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        "bucketRegion": region,
    }


def _update(aws: Aws, change: Change) -> None:
    if change.has("tags"):
        _tag(aws, change.id, change.new["tags"])


def _delete(aws: Aws, name: str, known: Values) -> None:
    def delete() -> None:
        if known.get("forceDestroy"):
            _empty(aws, name)
        aws.when(lambda: aws.s3.delete_bucket(Bucket=name), BUSY)

    unless_gone(delete, *GONE)


def _empty(aws: Aws, name: str) -> None:
    for page in aws.s3.get_paginator("list_object_versions").paginate(Bucket=name):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        _delete_objects(aws, name, [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions])


def _delete_objects(aws: Aws, name: str, objects: list[dict[str, str]]) -> None:
    if objects:
        aws.s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})  # type: ignore[typeddict-item]


BUCKET = ResourceType(
    token="aws:s3/bucket:Bucket",  # noqa: S106
    properties={
        "bucket": text(replaces=True),
        "forceDestroy": flag(default=False, told=False),
        "tags": mapping(),
    },
    outputs={"arn": (), "bucketDomainName": (), "bucketRegionalDomainName": (), "bucketRegion": ()},
    identity=("bucket",),
    naming=Naming(property="bucket", longest=63, lower=True),
    create=_create,
    finish=_finish,
    read=_read,
    update=_update,
    delete=_delete,
)
