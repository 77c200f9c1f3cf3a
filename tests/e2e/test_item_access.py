"""What the policies' conditions leave to a role: which items and attributes it writes, and what it copies where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.emulator.testkit import Aws
from overtime.components import policies
from overtime.contract import task_requests
from overtime.contract.runs import RunKey, RunState
from overtime.ledger import requests
from overtime.ledger.run import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.stack import Machine

pytestmark = pytest.mark.e2e

MINE, OTHERS = RunKey("mine", "r-1"), RunKey("others", "r-1")
TABLE, BUCKET = "runs-of-two", "objects-of-two"
TASK = "arn:aws:ecs:eu-west-1:123456789012:task/c/1"
DENIED = "AccessDenied"


def user(aws: Aws, name: str, document: Mapping[str, object]) -> Any:
    """Make a user who may do what a policy says; gives a session that makes its clients."""
    aws.iam.create_user(UserName=name)
    aws.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    key = aws.iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=aws.emulator.settings.region)
    return lambda service: session.client(service, endpoint_url=aws.emulator.endpoint)


@pytest.fixture(scope="module")
def aws(here: Machine) -> Aws:
    """Give short cuts on the machine's emulator."""
    return Aws(here.emulator)


@pytest.fixture(scope="module")
def table_arn(aws: Aws) -> str:
    """Make a ledger with one run of each of two functions."""
    root = boto3.Session("test", "test", region_name=aws.emulator.settings.region)
    dynamodb = root.client("dynamodb", endpoint_url=aws.emulator.endpoint)
    made = dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "run_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "run_key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for key in (MINE, OTHERS):
        dynamodb.put_item(**requests.record(TABLE, 0, key, b"1", failure=Failure(form="dead_letter"), runs_days=30))
    return str(made["TableDescription"]["TableArn"])


def test_a_functions_role_writes_its_own_runs_and_what_a_task_writes(aws: Aws, table_arn: str) -> None:
    """With the runner's very policy: claim and finish pass, and every other attribute and function is refused."""
    document = policies.runner(
        function_name="mine",
        function_arn="arn:f",
        layer_arns=[],
        table_arn=table_arn,
        bucket_arn=f"arn:aws:s3:::{BUCKET}",
    )
    dynamodb = user(aws, "handler", document)("dynamodb")
    claim = task_requests.claim(TABLE, 1, MINE, 1, task_arn=TASK, claim_id="c")
    assert dynamodb.update_item(**claim)["Attributes"]["event_sha256"]
    with pytest.raises(ClientError, match="ConditionalCheckFailed") as refused:
        dynamodb.update_item(**claim)
    assert refused.value.response["Item"]["claim_id"] == {"S": "c"}  # type: ignore[typeddict-item]
    with pytest.raises(ClientError, match=DENIED):
        dynamodb.update_item(**task_requests.claim(TABLE, 1, OTHERS, 1, task_arn=TASK, claim_id="c"))
    for name in ("function_name", "request_id", "open", "settled_at", "notified", "expires_at", "held", "failure"):
        for change in ("SET #a = :a", "REMOVE #a"):
            values = {"ExpressionAttributeValues": {":a": {"S": "x"}}} if "SET" in change else {}
            with pytest.raises(ClientError, match=DENIED):
                dynamodb.update_item(
                    TableName=TABLE,
                    Key={"run_key": {"S": str(MINE)}},
                    UpdateExpression=change,
                    ExpressionAttributeNames={"#a": name},
                    **values,
                )
    finish = task_requests.finish(TABLE, 2, MINE, 1, task_arn=TASK, state=RunState.SUCCEEDED, result_size=1)
    assert dynamodb.update_item(**finish)["Attributes"]["state"] == {"S": "succeeded"}


def test_the_watcher_copies_events_in_place_and_writes_none(aws: Aws) -> None:
    """With the watcher's very statements: a copy of an event passes, an event of its own making does not."""
    bucket = f"arn:aws:s3:::{BUCKET}"
    here = {"LocationConstraint": aws.emulator.settings.region}
    aws.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=here)
    aws.s3.put_object(Bucket=BUCKET, Key=MINE.event_object, Body=b"1")
    aws.s3.put_object(Bucket=BUCKET, Key=MINE.result_object(1), Body=b"2")
    document = {"Version": "2012-10-17", "Statement": policies._payloads(bucket, results=False)}
    s3 = user(aws, "watcher", document)("s3")

    def copy(source: str, target: str) -> None:
        where = {"Bucket": BUCKET, "Key": source}
        s3.copy_object(Bucket=BUCKET, Key=target, CopySource=where, MetadataDirective="REPLACE", ContentType="x")

    before = aws.s3.head_object(Bucket=BUCKET, Key=MINE.event_object)
    copy(MINE.event_object, MINE.event_object)
    after = aws.s3.head_object(Bucket=BUCKET, Key=MINE.event_object)
    assert (before["ContentType"] != after["ContentType"], after["LastModified"] >= before["LastModified"]) == (
        True,
        True,
    )
    for refused in (
        lambda: s3.put_object(Bucket=BUCKET, Key=MINE.event_object, Body=b"3"),
        lambda: copy(MINE.result_object(1), MINE.event_object),
        lambda: copy(MINE.event_object, MINE.result_object(1)),
    ):
        with pytest.raises(ClientError, match=DENIED):
            refused()
    assert aws.s3.get_object(Bucket=BUCKET, Key=MINE.event_object)["Body"].read() == b"1"
