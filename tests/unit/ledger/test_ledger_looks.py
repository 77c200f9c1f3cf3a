from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import InvalidRunKeyError, RunKey, parking_key
from overtime.ledger.answers import LedgerUnavailableError
from overtime.ledger.looks import Look, Looks
from overtime.ledger.store import RunLedger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

LOOK = Look(looked_at=4, messages=3, oldest_sent=1, counted_sent=2)


def test_the_latest_look_is_remembered_for_each_function(dynamodb: DynamoDBClient, s3: S3Client) -> None:
    """Out of the way of runs: its key is none, and nobody takes it for something that is open."""
    looks = Looks(table="runs", dynamodb=dynamodb)
    assert looks.latest("report") == Look()
    looks.remember("report", Look(looked_at=1))
    looks.remember("report", LOOK)
    assert (looks.latest("report"), looks.latest("sums")) == (LOOK, Look())
    with pytest.raises(InvalidRunKeyError):
        RunKey.parse(parking_key("report"))
    assert list(RunLedger(table="runs", bucket="runs-objects", dynamodb=dynamodb, s3=s3).open_keys()) == []


def test_what_makes_no_sense_is_no_look(dynamodb: DynamoDBClient) -> None:
    """Then the watcher looks anew, and writes over it."""
    looks = Looks(table="runs", dynamodb=dynamodb)
    item = {"run_key": {"S": parking_key("report")}, "looked_at": {"S": "yesterday"}}
    dynamodb.put_item(TableName="runs", Item=item)
    assert looks.latest("report") == Look()
    looks.remember("report", LOOK)
    assert looks.latest("report") == LOOK


def test_a_table_that_does_not_answer_is_named(dynamodb: DynamoDBClient) -> None:
    """Both ways."""
    looks = Looks(table="gone", dynamodb=dynamodb)
    with pytest.raises(LedgerUnavailableError, match="could not be read from the table 'gone'"):
        looks.latest("report")
    with pytest.raises(LedgerUnavailableError, match="could not be written to the table 'gone'"):
        looks.remember("report", LOOK)
