"""What is set on S3 buckets: encryption, public access, versions, policy and lifecycle; each a resource of its own."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from local.provider.aws import documents
from local.provider.aws.resources.s3 import BUSY, GONE
from local.provider.aws.resources.shapes import present
from local.provider.aws.schema import (
    Change,
    Property,
    ResourceType,
    block,
    flag,
    integer,
    json_text,
    listed,
    text,
)
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values


def _on_bucket(  # noqa: PLR0913 - each names what one kind of setting differs in
    token: str,
    properties: Mapping[str, Property],
    *,
    put: Callable[[Aws, str, Values], object],
    get: Callable[[Aws, str], Values],
    remove: Callable[[Aws, str], object],
    missing: str,
) -> ResourceType:
    """Declare a resource that is one setting of a bucket; `missing` is S3's error when it is not set."""

    def create(aws: Aws, given: Values) -> str:
        bucket = str(given["bucket"])
        aws.when(lambda: put(aws, bucket, given), BUSY)
        return bucket

    def read(aws: Aws, bucket: str, _known: Values) -> Values | None:
        found = unless_gone(lambda: get(aws, bucket), missing, *GONE)
        return None if found is None else {"bucket": bucket, **found}

    def update(aws: Aws, change: Change) -> None:
        aws.when(lambda: put(aws, change.id, change.new), BUSY)

    def delete(aws: Aws, bucket: str, _known: Values) -> None:
        unless_gone(lambda: aws.when(lambda: remove(aws, bucket), BUSY), missing, *GONE)

    return ResourceType(
        token=token,
        properties={"bucket": text(required=True, replaces=True), **properties},
        outputs={},
        identity=("bucket",),
        create=create,
        read=read,
        update=update,
        delete=delete,
    )


def _put_encryption(aws: Aws, bucket: str, given: Values) -> None:
    rules = []
    for rule in given["rules"]:
        chosen = rule["applyServerSideEncryptionByDefault"]
        default = present(SSEAlgorithm=chosen["sseAlgorithm"], KMSMasterKeyID=chosen["kmsMasterKeyId"] or None)
        rules.append({"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": rule["bucketKeyEnabled"]})
    configuration = {"Rules": rules}
    aws.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=configuration)  # type: ignore[arg-type]


def _get_encryption(aws: Aws, bucket: str) -> Values:
    rules = []
    for rule in aws.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]:
        chosen = rule.get("ApplyServerSideEncryptionByDefault", {})
        default = present(sseAlgorithm=chosen.get("SSEAlgorithm"), kmsMasterKeyId=chosen.get("KMSMasterKeyID"))
        rules.append(
            {"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": rule.get("BucketKeyEnabled", False)}
        )
    return {"rules": rules}


BUCKET_ENCRYPTION = _on_bucket(
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    {
        "rules": listed(
            block(
                fields={
                    "applyServerSideEncryptionByDefault": block(
                        fields={"sseAlgorithm": text(required=True), "kmsMasterKeyId": text()}, required=True
                    ),
                    "bucketKeyEnabled": flag(default=False),
                }
            ),
            required=True,
        )
    },
    put=_put_encryption,
    get=_get_encryption,
    remove=lambda aws, bucket: aws.s3.delete_bucket_encryption(Bucket=bucket),
    missing="ServerSideEncryptionConfigurationNotFoundError",
)

_BLOCKS = MappingProxyType(
    {
        "blockPublicAcls": "BlockPublicAcls",
        "blockPublicPolicy": "BlockPublicPolicy",
        "ignorePublicAcls": "IgnorePublicAcls",
        "restrictPublicBuckets": "RestrictPublicBuckets",
    }
)


def _put_block(aws: Aws, bucket: str, given: Values) -> None:
    configuration = {name: given[key] for key, name in _BLOCKS.items()}
    aws.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=configuration)  # type: ignore[arg-type]


def _get_block(aws: Aws, bucket: str) -> Values:
    found: Values = {**aws.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]}
    return {key: found.get(name, False) for key, name in _BLOCKS.items()}


BUCKET_PUBLIC_ACCESS_BLOCK = _on_bucket(
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    {name: flag(default=False) for name in _BLOCKS},
    put=_put_block,
    get=_get_block,
    remove=lambda aws, bucket: aws.s3.delete_public_access_block(Bucket=bucket),
    missing="NoSuchPublicAccessBlockConfiguration",
)

BUCKET_VERSIONING = _on_bucket(
    "aws:s3/bucketVersioning:BucketVersioning",
    {
        "versioningConfiguration": block(
            fields={"status": text(required=True, choices=("Enabled", "Suspended"))}, required=True
        )
    },
    put=lambda aws, bucket, given: aws.s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": given["versioningConfiguration"]["status"]}
    ),
    get=lambda aws, bucket: {
        "versioningConfiguration": {"status": aws.s3.get_bucket_versioning(Bucket=bucket).get("Status")}
    },
    # It cannot be taken back; S3 keeps the versions that there are.
    remove=lambda aws, bucket: aws.s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    missing="NoSuchBucket",
)

BUCKET_POLICY = _on_bucket(
    "aws:s3/bucketPolicy:BucketPolicy",
    {"policy": json_text(required=True, alike=documents.policy)},
    put=lambda aws, bucket, given: aws.s3.put_bucket_policy(Bucket=bucket, Policy=given["policy"]),
    get=lambda aws, bucket: {"policy": aws.s3.get_bucket_policy(Bucket=bucket)["Policy"]},
    remove=lambda aws, bucket: aws.s3.delete_bucket_policy(Bucket=bucket),
    missing="NoSuchBucketPolicy",
)


def _put_lifecycle(aws: Aws, bucket: str, given: Values) -> None:
    rules = [_rule(rule) for rule in given["rules"]]
    aws.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})  # type: ignore[typeddict-item]


def _rule(rule: Values) -> Values:
    expiration, abort = rule["expiration"], rule["abortIncompleteMultipartUpload"]
    old = rule["noncurrentVersionExpiration"]
    return present(
        ID=rule["id"],
        Status=rule["status"],
        Filter={"Prefix": (rule["filter"] or {}).get("prefix") or ""},
        Expiration={"Days": expiration["days"]} if expiration else None,
        AbortIncompleteMultipartUpload={"DaysAfterInitiation": abort["daysAfterInitiation"]} if abort else None,
        NoncurrentVersionExpiration={"NoncurrentDays": old["noncurrentDays"]} if old else None,
    )


def _get_lifecycle(aws: Aws, bucket: str) -> Values:
    rules = []
    for rule in aws.s3.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", []):
        abort, old = rule.get("AbortIncompleteMultipartUpload"), rule.get("NoncurrentVersionExpiration")
        rules.append(
            present(
                id=rule.get("ID"),
                status=rule["Status"],
                filter=present(prefix=rule.get("Filter", {}).get("Prefix")),
                expiration={"days": rule["Expiration"].get("Days")} if "Expiration" in rule else None,
                abortIncompleteMultipartUpload=(
                    {"daysAfterInitiation": abort.get("DaysAfterInitiation")} if abort else None
                ),
                noncurrentVersionExpiration={"noncurrentDays": old.get("NoncurrentDays")} if old else None,
            )
        )
    return {"rules": rules}


BUCKET_LIFECYCLE = _on_bucket(
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    {
        "rules": listed(
            block(
                fields={
                    "id": text(required=True),
                    "status": text(required=True, choices=("Enabled", "Disabled")),
                    "filter": block(fields={"prefix": text()}),
                    "expiration": block(fields={"days": integer(required=True)}),
                    "abortIncompleteMultipartUpload": block(fields={"daysAfterInitiation": integer(required=True)}),
                    "noncurrentVersionExpiration": block(fields={"noncurrentDays": integer(required=True)}),
                }
            ),
            required=True,
        )
    },
    put=_put_lifecycle,
    get=_get_lifecycle,
    remove=lambda aws, bucket: aws.s3.delete_bucket_lifecycle(Bucket=bucket),
    missing="NoSuchLifecycleConfiguration",
)
