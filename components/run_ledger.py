"""The record of every run: state in DynamoDB, event and result in S3."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from overtime.components.sealed_bucket import seal
from overtime.contract import runs
from overtime.contract.limits import LONGEST_LIFE_DAYS


@dataclass(frozen=True, kw_only=True)
class RunLedgerArgs:
    """Arguments of `RunLedger`."""

    runs_days: int
    """Retention of events and results; the expiry of states is written with each run."""
    force_destroy: bool
    """Whether the table, and the bucket with its objects, may be deleted."""


class RunLedger(pulumi.ComponentResource):
    """The table and the bucket that dispatchers, runners, watcher and operators share."""

    table_name: pulumi.Output[str]
    table_arn: pulumi.Output[str]
    bucket_name: pulumi.Output[str]
    bucket_arn: pulumi.Output[str]

    def __init__(self, name: str, args: RunLedgerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:RunLedger", name, {}, opts)

        table = self._table(name, force_destroy=args.force_destroy)
        bucket = aws.s3.Bucket(
            f"{name}-objects",
            force_destroy=args.force_destroy,
            opts=pulumi.ResourceOptions(parent=self, protect=not args.force_destroy),
        )
        seal(name, bucket, self)
        self._expire(name, bucket, args.runs_days)

        self.table_name, self.table_arn = table.name, table.arn
        self.bucket_name, self.bucket_arn = bucket.bucket, bucket.arn
        self.register_outputs(
            {
                "table_name": self.table_name,
                "table_arn": self.table_arn,
                "bucket_name": self.bucket_name,
                "bucket_arn": self.bucket_arn,
            }
        )

    def _table(self, name: str, *, force_destroy: bool) -> aws.dynamodb.Table:
        return aws.dynamodb.Table(
            f"{name}-runs",
            billing_mode="PAY_PER_REQUEST",
            hash_key=runs.KEY,
            attributes=[aws.dynamodb.TableAttributeArgs(name=key, type="S") for key in (runs.KEY, runs.OPEN)],
            global_secondary_indexes=[
                aws.dynamodb.TableGlobalSecondaryIndexArgs(
                    name=runs.OPEN,
                    key_schemas=[
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(attribute_name=runs.OPEN, key_type="HASH")
                    ],
                    projection_type="KEYS_ONLY",
                )
            ],
            ttl=aws.dynamodb.TableTtlArgs(attribute_name=runs.EXPIRES_AT, enabled=True),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            # False selects an AWS owned key: the table is still encrypted, and requests to KMS are not billed.
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=False),
            # A destroy that fails at a bucket with objects must not have deleted their states before.
            deletion_protection_enabled=not force_destroy,
            # AWS would reject the deletion only after Pulumi has deleted other resources.
            opts=pulumi.ResourceOptions(parent=self, protect=not force_destroy),
        )

    def _expire(self, name: str, bucket: aws.s3.Bucket, days: int) -> None:
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-expiry",
            bucket=bucket.bucket,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="expire-runs",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(
                        # As for states: a late task may still need its event.
                        days=max(days, LONGEST_LIFE_DAYS)
                    ),
                )
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
