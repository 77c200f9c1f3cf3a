"""The bucket of the sample's input and report: the user's own, not the stack's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from mypy_boto3_s3.literals import BucketLocationConstraintType

    from local.stack import Session

NAME = "overtime-sample-sales"
"""Matches the permissions in `Pulumi.dev.yaml`."""


def make(session: Session) -> None:
    """Make the bucket."""
    region = cast("BucketLocationConstraintType", session.region_name)
    session.client("s3").create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": region})


def remove(session: Session) -> None:
    """Remove it with all that is in it; nothing happens when it is not there."""
    s3 = session.client("s3")
    if NAME not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        return
    for found in s3.list_objects_v2(Bucket=NAME).get("Contents", []):
        s3.delete_object(Bucket=NAME, Key=found["Key"])
    s3.delete_bucket(Bucket=NAME)
