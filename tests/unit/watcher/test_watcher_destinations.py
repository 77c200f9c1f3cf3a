# ruff: noqa: D102 -- the stand-in's methods are named by what they stand in for
from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError

from overtime.contract.destinations import LARGEST_RECORD
from overtime.contract.runs import RunKey, RunState
from overtime.lambdas.watcher.destination_record import record
from overtime.lambdas.watcher.destinations import Delivery, DeliveryError, Destinations
from tests.doubles.world import FUNCTION_ARN

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

    from tests.doubles.world import World

DELIVERY = Delivery(
    key=RunKey("report", "r-1"), function_arn=FUNCTION_ARN, succeeded=True, record='{"a":1}', without_payloads="{}"
)
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/orders"


TOO_LARGE = {
    "sqs": (
        "InvalidParameterValue",
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
    ),
    "sns": ("InvalidParameter", "Invalid parameter: Message too long"),
    "events": ("ValidationException", "Total size of the entries in the request is over the limit."),
    "lambda": (
        "RequestEntityTooLargeException",
        "Request must be smaller than 1048576 bytes for the InvokeFunction operation",
    ),
}
"""What each service says of a record that is over its limit."""


class Aws:
    """Stands in for the four services: takes what is not larger than `most`, and remembers it."""

    def __init__(self, most: int = 10**9) -> None:
        self.most, self.calls = most, list[tuple[str, dict[str, object]]]()
        self.answer: dict[str, object] = {"FailedEntryCount": 0}
        self.refusal: tuple[str, str] | None = None
        """What the next call is refused with, by code and message."""

    def _take(self, name: str, body: str, request: dict[str, object]) -> None:
        refusal, self.refusal = self.refusal, None
        if refusal is None and len(body) > self.most:
            refusal = TOO_LARGE[name]
        if refusal is not None:
            error = dict(zip(("Code", "Message"), refusal, strict=True))
            raise ClientError({"Error": error}, name)  # type: ignore[typeddict-item]
        self.calls.append((name, request))

    def get_queue_url(self, **request: object) -> dict[str, str]:
        return {"QueueUrl": "/".join(map(str, request.values()))}

    def send_message(self, **request: object) -> None:
        self._take("sqs", str(request["MessageBody"]), request)

    def publish(self, **request: object) -> None:
        self._take("sns", str(request["Message"]), request)

    def put_events(self, **request: object) -> dict[str, object]:
        self._take("events", json.dumps(request), request)
        return self.answer

    def invoke(self, **request: object) -> None:
        self._take("lambda", str(request["Payload"]), request)


def destinations(aws: Aws) -> Destinations:
    return Destinations(
        sqs=cast("SQSClient", aws),
        sns=cast("SNSClient", aws),
        events=cast("EventBridgeClient", aws),
        lambdas=cast("LambdaClient", aws),
    )


ATTRIBUTE = {"OvertimeRunKey": {"DataType": "String", "StringValue": "report/r-1"}}
TARGETS = {
    "arn:aws:sqs:eu-west-1:123456789012:q": (
        "sqs",
        {"QueueUrl": "q/123456789012", "MessageBody": '{"a":1}', "MessageAttributes": ATTRIBUTE},
    ),
    "arn:aws:sns:eu-west-1:123456789012:t": (
        "sns",
        {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:t", "Message": '{"a":1}', "MessageAttributes": ATTRIBUTE},
    ),
    BUS: (
        "events",
        {
            "Entries": [
                {
                    "EventBusName": BUS,
                    "Source": "lambda",
                    "DetailType": "Lambda Function Invocation Result - Success",
                    "Resources": [BUS, f"{FUNCTION_ARN}:$LATEST"],
                    "Detail": '{"a":1}',
                }
            ]
        },
    ),
    "arn:aws:lambda:eu-west-1:123456789012:function:f": (
        "lambda",
        {
            "FunctionName": "arn:aws:lambda:eu-west-1:123456789012:function:f",
            "InvocationType": "Event",
            "Payload": b'{"a":1}',
        },
    ),
}


@pytest.mark.parametrize("arn", TARGETS)
def test_each_kind_of_target_gets_the_record_as_lambda_sends_it(arn: str) -> None:
    """One call, with the record whole, and the run's key where there is room for it beside."""
    aws = Aws()
    destinations(aws).send(arn, DELIVERY)
    assert aws.calls == [TARGETS[arn]]


def test_the_largest_record_fits_into_a_message_with_its_attribute() -> None:
    """SQS counts name, type and value of an attribute towards the 1 MiB of a message."""
    key = RunKey("f" * 140, "r" * 64)
    [(name, attribute)] = ATTRIBUTE.items()
    assert LARGEST_RECORD + len(f"{name}{attribute['DataType']}{key}") <= 1_048_576


@pytest.mark.parametrize("arn", TARGETS)
@pytest.mark.parametrize("size", [2_000, LARGEST_RECORD + 1], ids=["the target's limit", "any target's limit"])
def test_over_the_targets_limit_the_payloads_are_dropped(arn: str, size: int) -> None:
    """A topic may take 256 KB or less, nobody takes more than 1 MB; the record still names the run."""
    aws = Aws(most=1_000)
    destinations(aws).send(arn, replace(DELIVERY, record="x" * size))
    ((_, request),) = aws.calls
    assert "xxx" not in str(request)
    assert "{}" in str(request)


@pytest.mark.parametrize("arn", TARGETS)
@pytest.mark.parametrize(
    "refusal",
    [
        ("Throttling", "Rate exceeded"),
        ("KMSThrottlingException", "You have exceeded the rate at which you may call KMS."),
        ("ServiceUnavailable", "arn:aws:sqs:eu-west-1:123456789012:resized-images cannot be reached"),
        ("InternalError", "Message too long"),
        ("InvalidParameterValue", "Value r 1 for parameter QueueUrl is invalid. Reason: size"),
        ("InvalidParameter", "Invalid parameter: TopicArn is larger than allowed"),
        ("ValidationException", "1 validation error detected: Member must have length less than or equal to 128"),
    ],
    ids=lambda refusal: refusal[0],
)
def test_only_the_size_takes_the_payloads_away(arn: str, refusal: tuple[str, str]) -> None:
    """Any other refusal, whatever words are in it, is an error, and the next try sends the record whole."""
    aws = Aws()
    aws.refusal = refusal
    with pytest.raises(DeliveryError, match=refusal[0]):
        destinations(aws).send(arn, DELIVERY)
    assert aws.calls == []
    destinations(aws).send(arn, DELIVERY)
    assert aws.calls == [TARGETS[arn]]


def test_lambda_has_other_codes_for_its_size() -> None:
    """Those that its API reference lists, beside the one that it answers with."""
    for code in ("RequestTooLargeException", "SerializedRequestEntityTooLargeException"):
        aws = Aws()
        aws.refusal = (code, "too much")
        destinations(aws).send("arn:aws:lambda:eu-west-1:123456789012:function:f", DELIVERY)
        ((_, request),) = aws.calls
        assert request["Payload"] == b"{}"


def test_a_bus_that_throttles_its_entry_gets_it_whole_the_next_time() -> None:
    """PutEvents answers 200 all the same, and names the code in the entry."""
    aws = Aws()
    aws.answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "exceeded"}]}
    with pytest.raises(DeliveryError, match="ThrottlingException"):
        destinations(aws).send(BUS, DELIVERY)
    assert aws.calls == [TARGETS[BUS]], "no second call without payloads"


def test_a_bus_that_takes_no_entry_is_a_failure() -> None:
    """PutEvents answers 200 all the same."""
    aws = Aws()
    aws.answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "NotAuthorized", "ErrorMessage": "no rights"}]}
    with pytest.raises(DeliveryError, match=r"NotAuthorized.*no rights.*check that the destination exists"):
        destinations(aws).send(BUS, DELIVERY)


def test_what_is_no_target_is_said_so() -> None:
    """The text names the four that are."""
    with pytest.raises(DeliveryError, match="'nonsense': a destination must be the ARN of an SQS queue"):
        destinations(Aws()).send("nonsense", DELIVERY)


def test_a_record_without_payloads_is_the_same_but_for_them(world: World) -> None:
    """What Lambda drops over the limit, and nothing else."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, RunState.TIMED_OUT)
    run = world.run(key)
    full = json.loads(record(run, function_arn="f", lambda_attempts=3, event=b"1", result=b"not json"))
    bare = json.loads(record(run, function_arn="f", lambda_attempts=3, event=b"1", result=b"2", payloads=False))
    assert full.pop("requestPayload") == 1
    assert full.pop("responsePayload") == "not json"
    assert full == bare
    assert full["requestContext"]["condition"] == "RetriesExhausted"


@pytest.mark.parametrize(
    ("version", "qualifier", "executed", "expected"),
    [
        (None, None, None, ("f:$LATEST", "$LATEST")),
        ("1", "live", None, ("f:live", "1")),
        ("1", "live", "1", ("f:live", "1")),
        ("1", "live", "2", ("f:live", "2")),
        ("1", "1", "$LATEST", ("f:1", "$LATEST")),
    ],
)
def test_a_record_names_what_was_invoked_and_the_version_that_ran(
    world: World, version: str | None, qualifier: str | None, executed: str | None, expected: tuple[str, str]
) -> None:
    """A run that ended without a task's word of it is told of with the version that failed on Lambda."""
    run = world.run(world.start()[0])
    run = replace(run, failure=replace(run.failure, version=version, qualifier=qualifier), executed_version=executed)
    told = json.loads(record(run, function_arn="f", lambda_attempts=3, event=b"1", result=b"2"))
    assert (told["requestContext"]["functionArn"], told["responseContext"]["executedVersion"]) == expected


@pytest.mark.parametrize("result", [b'{"mean": NaN}', b"[Infinity, -Infinity]", b'{"cut": ', b'"\\ud83d"', b"1e999"])
def test_a_record_is_json_whatever_the_handler_returned(world: World, result: bytes) -> None:
    """Python's runtime client writes NaN and Infinity, which no other reader takes: such a result is quoted."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, RunState.SUCCEEDED)

    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = record(world.run(key), function_arn="f", lambda_attempts=3, event=b"1", result=result)
    payload = json.loads(text, parse_constant=refuse)["responsePayload"]
    try:
        assert payload == json.loads(result, parse_constant=refuse)
    except (AssertionError, ValueError):
        assert payload == result.decode()
