from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal

import boto3
import pytest
from moto import mock_aws

from overtime.ledger.store import RunLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

TABLE, BUCKET = "runs", "runs-objects"
REGION: Literal["eu-west-1"] = "eu-west-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in this process's memory."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws: None) -> DynamoDBClient:  # noqa: ARG001 -- the client must be made inside it
    client = boto3.client("dynamodb", region_name=REGION)
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "run_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "run_key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


@pytest.fixture
def s3(aws: None) -> S3Client:  # noqa: ARG001 -- likewise
    client = boto3.client("s3", region_name=REGION)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return client


@pytest.fixture
def ledger(dynamodb: DynamoDBClient, s3: S3Client) -> RunLedger:
    """Make a ledger whose clock goes on by a second each time that it is read."""
    ticks = itertools.count(1_700_000_000)
    return RunLedger(table=TABLE, bucket=BUCKET, dynamodb=dynamodb, s3=s3, clock=lambda: float(next(ticks)))
