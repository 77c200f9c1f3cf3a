"""Lambda in the emulator runs functions in JavaScript as it runs those in Python."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from local.emulator.testkit import Aws

pytestmark = pytest.mark.e2e

NAP = f"8765.{os.getpid()}"
"""Seconds that tell this run's processes from any other's on this machine."""
FUNCTION = """
import { spawn } from "node:child_process";
import { S3Client, ListBucketsCommand } from "@aws-sdk/client-s3";

export async function handler(event) {
  switch (event.do) {
    case "sleep":
      spawn("sleep", ["NAP"]);
      for (;;) { /* Not even the event loop goes on. */ }
    case "throw":
      throw new RangeError(event.what);
    case "exit":
      process.exit(3);
    case "list":
      return (await new S3Client().send(new ListBucketsCommand())).Buckets.map((each) => each.Name);
    case "tell":
      return { environment: process.env, node: process.version };
  }
}
""".replace("NAP", NAP)


def deploy(aws: Aws, name: str, **more: Any) -> None:
    options = {"Runtime": "nodejs22.x", "Timeout": 3, **more}
    aws.function(name, aws.role_arn("fn"), FUNCTION, file="app.mjs", **options)


def test_every_attempt_times_out_and_leaves_nothing(aws: Aws) -> None:
    """The function is ended with the processes that it started, although it is busy."""
    url, arn = aws.queue("dead-node")
    deploy(aws, "slow-node", Timeout=1, DeadLetterConfig={"TargetArn": arn})
    answer = aws.functions.invoke(FunctionName="slow-node", InvocationType="Event", Payload=b'{"do": "sleep"}')
    [message] = aws.messages(url)
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"].endswith("Task timed out after 1.00 seconds")
    events = aws.logs.filter_log_events(logGroupName="/aws/lambda/slow-node")["events"]
    starts = [event["message"] for event in events if event["message"].startswith("START")]
    assert starts == [f"START RequestId: {request_id} Version: $LATEST"] * 3
    left = subprocess.run(["pgrep", "-f", f"^sleep {NAP}$"], capture_output=True, check=False, text=True).stdout
    assert not left


def test_a_thrown_error_has_its_own_type(aws: Aws) -> None:
    url, arn = aws.queue("failed-node")
    deploy(aws, "bad-node")
    aws.functions.put_function_event_invoke_config(
        FunctionName="bad-node", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    event = json.dumps({"do": "throw", "what": "price"})
    aws.functions.invoke(FunctionName="bad-node", InvocationType="Event", Payload=event)
    [message] = aws.messages(url)
    error = json.loads(message["Body"])["responsePayload"]
    assert (error["errorType"], error["errorMessage"], error["trace"][0]) == (
        "RangeError",
        "price",
        "RangeError: price",
    )


def test_a_runtime_that_exits(aws: Aws) -> None:
    deploy(aws, "exits-node")
    answer = aws.functions.invoke(FunctionName="exits-node", Payload=b'{"do": "exit"}')
    assert "Error: Runtime exited with error: exit status 3" in json.load(answer["Payload"])["errorMessage"]


def test_it_runs_on_its_runtimes_nodejs_with_its_own_environment(aws: Aws) -> None:
    """Nothing of the emulator's or this machine's environment is there."""
    deploy(aws, "env-node", Environment={"Variables": {"MINE": "1"}})
    answer = aws.functions.invoke(FunctionName="env-node", Payload=b'{"do": "tell"}')
    seen = json.load(answer["Payload"])
    assert seen["node"].startswith("v22.")
    assert (seen["environment"]["MINE"], seen["environment"]["AWS_EXECUTION_ENV"]) == ("1", "AWS_Lambda_nodejs22.x")
    foreign = {"DOCKER_HOST", "GATEWAY_PORT", "AUTH", "OVERTIME_EMULATOR_INTERPRETERS", "PYTHONPATH", "VIRTUAL_ENV"}
    assert not foreign & seen["environment"].keys()


def test_the_sdk_calls_the_emulator_with_the_functions_role(aws: Aws) -> None:
    """It is there without being in the archive, as on Lambda."""
    aws.s3.create_bucket(Bucket="seen-by-node", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    deploy(aws, "list-node")
    answer = aws.functions.invoke(FunctionName="list-node", Payload=b'{"do": "list"}')
    assert "seen-by-node" in json.load(answer["Payload"])
