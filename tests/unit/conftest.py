from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Literal

import boto3
import pytest
from moto import mock_aws

from overtime.ledger.store import RunLedger
from tests.doubles.task_ledger import TaskLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

TABLE, BUCKET = "runs", "runs-objects"
REGION: Literal["eu-west-1"] = "eu-west-1"


@functools.cache
def _session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)


# A client costs a hundred times what an empty AWS does, so there is one of each for all tests.
_dynamodb = functools.cache(lambda: _session().client("dynamodb"))
_s3 = functools.cache(lambda: _session().client("s3"))
_sqs = functools.cache(lambda: _session().client("sqs"))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in this process's memory, empty."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws: None) -> DynamoDBClient:  # noqa: ARG001 -- the table must be made inside it
    client = _dynamodb()
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "run_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "run_key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


@pytest.fixture
def s3(aws: None) -> S3Client:  # noqa: ARG001 -- likewise
    client = _s3()
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return client


@pytest.fixture
def sqs(aws: None) -> SQSClient:  # noqa: ARG001 -- likewise
    return _sqs()


@pytest.fixture
def clock() -> Callable[[], float]:
    """Go on by a second with each look."""
    ticks = itertools.count(1_700_000_000)
    return lambda: float(next(ticks))


@pytest.fixture
def ledger(dynamodb: DynamoDBClient, s3: S3Client, clock: Callable[[], float]) -> RunLedger:
    return RunLedger(table=TABLE, bucket=BUCKET, dynamodb=dynamodb, s3=s3, clock=clock)


@pytest.fixture
def task_ledger(dynamodb: DynamoDBClient, clock: Callable[[], float]) -> TaskLedger:
    """Write what tasks write, by the clock of `ledger`."""
    return TaskLedger(dynamodb, table=TABLE, clock=clock)
