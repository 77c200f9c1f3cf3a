"""What every bucket of the stack has: encryption, no public access, and no requests without TLS."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from overtime.components import policies


def seal(name: str, bucket: aws.s3.Bucket, parent: pulumi.Resource) -> None:
    """Declare these settings of a bucket; `name` is the prefix of the resources' names."""
    child = pulumi.ResourceOptions(parent=parent)
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.bucket,
        rules=[
            aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=(
                    aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                        sse_algorithm="AES256"
                    )
                )
            )
        ],
        opts=child,
    )
    block = aws.s3.BucketPublicAccessBlock(
        f"{name}-private",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    aws.s3.BucketPolicy(
        f"{name}-tls-only",
        bucket=bucket.bucket,
        policy=policies.rendered(policies.encrypted_transport_only, arn=bucket.arn, service="s3"),
        # S3 rejects two of these changes at the same time (OperationAborted).
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[block]),
    )
