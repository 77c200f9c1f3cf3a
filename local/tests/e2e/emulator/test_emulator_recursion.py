"""Lambda's recursive loop detection in the emulator: its setting, and the chains of invocations that it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from local.emulator.testkit import Aws

pytestmark = pytest.mark.e2e

IDLE = "def handler(event, context):\n    return None\n"


def lambda_of(aws: Aws, role: str) -> Any:
    """Make a Lambda client that calls with a role."""
    options = {"region_name": aws.emulator.settings.region, "endpoint_url": aws.emulator.endpoint}
    root = boto3.client("sts", aws_access_key_id="test", aws_secret_access_key="test", **options)  # type: ignore[call-overload]
    granted = root.assume_role(RoleArn=aws.role_arn(role), RoleSessionName="asks")["Credentials"]
    session = boto3.Session(granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"])
    return session.client("lambda", **options)  # type: ignore[call-overload]


def test_the_setting_is_terminate_until_it_is_put_and_goes_with_the_function(aws: Aws) -> None:
    """Terminate is the default, Allow is kept over a change of the function, and a new function of the name is new."""
    aws.function("recursive", aws.role_arn("fn"), IDLE)

    def setting() -> str:
        return str(aws.functions.get_function_recursion_config(FunctionName="recursive")["RecursiveLoop"])

    assert setting() == "Terminate"
    answer = aws.functions.put_function_recursion_config(FunctionName="recursive", RecursiveLoop="Allow")
    assert answer["RecursiveLoop"] == "Allow"
    aws.functions.update_function_configuration(FunctionName="recursive", Description="changed")
    assert setting() == "Allow"
    aws.functions.delete_function(FunctionName="recursive")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        setting()
    aws.function("recursive", aws.role_arn("fn"), IDLE)
    assert setting() == "Terminate"


def test_the_setting_has_iam_actions_of_its_own(aws: Aws) -> None:
    """Who may do everything else with functions may neither read nor put it; each action allows its own call."""
    aws.function("guarded", aws.role_arn("fn"), IDLE)
    aws.role("asker", "lambda:GetFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration")
    asker = lambda_of(aws, "asker")
    with pytest.raises(ClientError, match="not authorized to perform: lambda:GetFunctionRecursionConfig"):
        asker.get_function_recursion_config(FunctionName="guarded")
    with pytest.raises(ClientError, match="not authorized to perform: lambda:PutFunctionRecursionConfig"):
        asker.put_function_recursion_config(FunctionName="guarded", RecursiveLoop="Allow")
    aws.allow("asker", "lambda:GetFunctionRecursionConfig", "lambda:PutFunctionRecursionConfig")
    asker.put_function_recursion_config(FunctionName="guarded", RecursiveLoop="Allow")
    assert asker.get_function_recursion_config(FunctionName="guarded")["RecursiveLoop"] == "Allow"


PASSES_ON = """
import boto3, json, os
sqs = boto3.client("sqs")

def handler(event, context):
    trace = os.environ["_X_AMZN_TRACE_ID"]
    for record in event["Records"]:
        turn = json.loads(record["body"])
        sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps([turn, trace]))
        if turn < int(os.environ["TURNS"]):
            sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(turn + 1))
"""


def play(aws: Aws, name: str, setting: str, turns: int, hidden_seconds: int = 60) -> tuple[str, str, str]:
    """Let a function send its message on to its own queue so often; URLs of its queue, parking queue and witness."""
    seen, _ = aws.queue(f"{name}-seen")
    parked, parked_arn = aws.queue(f"{name}-parked")
    redrive = json.dumps({"deadLetterTargetArn": parked_arn, "maxReceiveCount": 2})
    url, arn = aws.queue(name, VisibilityTimeout=str(hidden_seconds), RedrivePolicy=redrive)
    variables = {"QUEUE": url, "SEEN": seen, "TURNS": str(turns)}
    aws.function(name, aws.role_arn("fn"), PASSES_ON, Timeout=20, Environment={"Variables": variables})
    aws.functions.put_function_recursion_config(FunctionName=name, RecursiveLoop=setting)
    # Importing the SDK takes long on a busy machine: not while a message is hidden.
    aws.functions.invoke(FunctionName=name, Payload=b'{"Records": []}')
    aws.functions.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)
    aws.sqs.send_message(QueueUrl=url, MessageBody="1")
    return url, parked, seen


def turns_seen(aws: Aws, seen: str, count: int) -> list[tuple[int, str]]:
    """Receive what the function told of its turns: number and trace header."""
    told = [json.loads(message["Body"]) for message in aws.messages(seen, count)]
    return sorted((turn, trace) for turn, trace in told)


def test_a_function_that_feeds_its_own_queue_is_ended_after_16_turns(aws: Aws) -> None:
    """The 17th message is received, never delivered, and parked by the queue's redrive policy; a metric counts it."""
    url, parked, seen = play(aws, "endless", "Terminate", 20, hidden_seconds=3)
    [message] = aws.messages(parked)
    assert message["Body"] == "17"
    assert [turn for turn, _ in turns_seen(aws, seen, 16)] == list(range(1, 17))
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    assert set(aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()) == {"0"}
    counted = aws.metrics.list_metrics(Namespace="AWS/Lambda", MetricName="RecursiveInvocationsDropped")["Metrics"]
    assert [{"Name": "FunctionName", "Value": "endless"}] in [each["Dimensions"] for each in counted]


def test_a_function_that_allows_loops_goes_on(aws: Aws) -> None:
    """With Allow 21 turns are 21 invocations of one chain: one root, and a trace header of its own for each."""
    _, _, seen = play(aws, "allowed", "Allow", 21)
    told = turns_seen(aws, seen, 21)
    assert [turn for turn, _ in told] == list(range(1, 22))
    traces = [trace for _, trace in told]
    assert len({trace.partition(";")[0] for trace in traces}) == 1
    assert [int(trace.rpartition(":")[2]) for trace in traces] == list(range(1, 22))


def test_messages_of_many_chains_are_no_loop(aws: Aws) -> None:
    """40 messages that a person sent, one after the other, all arrive: each begins a chain of its own."""
    url, _, seen = play(aws, "busy", "Terminate", 1)
    for _ in range(4):
        entries = [{"Id": str(number), "MessageBody": "1"} for number in range(10)]
        aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert {trace.rpartition(":")[2] for _, trace in turns_seen(aws, seen, 41)} == {"1"}


def test_a_message_keeps_the_trace_header_that_it_was_sent_with(aws: Aws) -> None:
    """The attribute AWSTraceHeader is the sender's own where it gave one, and else the call's X-Amzn-Trace-Id."""
    url, _ = aws.queue("traced")
    aws.sqs.send_message(
        QueueUrl=url,
        MessageBody="own",
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-0-own"}},
    )

    def add(params: dict[str, Any], **_: object) -> None:
        params["headers"]["X-Amzn-Trace-Id"] = "Root=1-0-header"

    aws.sqs.meta.events.register("before-call.sqs.SendMessage", add, unique_id="trace")
    try:
        aws.sqs.send_message(QueueUrl=url, MessageBody="header")
        aws.sqs.send_message(
            QueueUrl=url,
            MessageBody="both",
            MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-0-own"}},
        )
    finally:
        aws.sqs.meta.events.unregister("before-call.sqs.SendMessage", unique_id="trace")
    aws.sqs.send_message(QueueUrl=url, MessageBody="none")
    found: dict[str, str | None] = {}
    while len(found) < 4:
        received = aws.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageSystemAttributeNames=["AWSTraceHeader"]
        )
        found |= {each["Body"]: each.get("Attributes", {}).get("AWSTraceHeader") for each in received["Messages"]}
    assert found == {"own": "Root=1-0-own", "header": "Root=1-0-header", "both": "Root=1-0-own", "none": None}
