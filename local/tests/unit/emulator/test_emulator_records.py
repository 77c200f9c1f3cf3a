"""What the emulator says of failed invocations, of functions' environments and of containers: pure parts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.emulator.patches.containers import empty_volumes, engine_options
from local.emulator.patches.failure_records import (
    Condition,
    Failure,
    dead_letter_attributes,
    destination_record,
    error_document,
    first_bytes,
)
from local.emulator.patches.task_logs import lines, output
from local.emulator.patches.workers import environment, exit_text

TIMEOUT = {
    "errorType": "Sandbox.Timedout",
    "errorMessage": "2026-01-01T00:00:00.000Z id Task timed out after 3.00 seconds",
}


def failure(**changes: object) -> Failure:
    """Make the failure of a timeout that differs by `changes`."""
    values: dict[str, Any] = {
        "request_id": "id",
        "function_arn": "arn:aws:lambda:eu-west-1:1:function:f:$LATEST",
        "version": "$LATEST",
        "body": b'{"a": 1.0}',
        "condition": Condition.RETRIES_EXHAUSTED,
        "attempts": 3,
        "timestamp": "2026-01-01T00:00:00.000Z",
        "error": TIMEOUT,
    }
    return Failure(**{**values, **changes})


def values(attributes: dict[str, dict[str, str]]) -> dict[str, str]:
    """Leave the types out."""
    return {name: attribute["StringValue"] for name, attribute in attributes.items()}


def test_dead_letter_attributes() -> None:
    """RequestID and ErrorMessage are strings, ErrorCode is a number: the HTTP status of the invocation."""
    attributes = dead_letter_attributes(failure())
    assert values(attributes) == {"RequestID": "id", "ErrorCode": "200", "ErrorMessage": TIMEOUT["errorMessage"]}
    assert [each["DataType"] for each in attributes.values()] == ["String", "Number", "String"]


def test_an_event_that_was_never_tried_says_so() -> None:
    """Reserved concurrency 0: no attempt, code 429, no response in the record."""
    untried = failure(condition=Condition.ZERO_RESERVED_CONCURRENCY, attempts=0, error=None)
    assert values(dead_letter_attributes(untried))["ErrorCode"] == "429"
    assert "zero reserved concurrent executions" in values(dead_letter_attributes(untried))["ErrorMessage"]
    record = json.loads(destination_record(untried))
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert not {"responseContext", "responsePayload"} & record.keys()


def test_destination_record() -> None:
    """The record has the fields that AWS documents."""
    assert json.loads(destination_record(failure())) == {
        "version": "1.0",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "requestContext": {
            "requestId": "id",
            "functionArn": "arn:aws:lambda:eu-west-1:1:function:f:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"a": 1.0},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": TIMEOUT,
    }


def test_messages_end_at_a_character() -> None:
    """The limit is in bytes, and no character is cut in half."""
    assert first_bytes("aé", 2) == "a"
    assert first_bytes("aé", 3) == "aé"


@pytest.mark.parametrize(
    ("message", "log", "kind", "text"),
    [
        ("Task timed out after 3.00 seconds", "", "Sandbox.Timedout", "NOW id Task timed out after 3.00 seconds"),
        ("'x'", "Traceback:\n  File 1\nKeyError: 'x'", "KeyError", "'x'"),
        ("no", "Traceback:\n  File 1\nmy.pkg.BadError: no", "BadError", "no"),
        ("no", "a line\nRangeError: no\n    at f (/a.mjs:1:2)\n    at async g", "RangeError", "no"),
        (
            "RequestId: id Error: Runtime exited with error: exit status 3",
            "",
            "Runtime.ExitError",
            "RequestId: id Error: Runtime exited with error: exit status 3",
        ),
    ],
)
def test_error_documents(message: str, log: str, kind: str, text: str) -> None:
    """A timeout names time and request, an exception its own type, an exit its status."""
    result = {"body": {"errorMessage": message, "errorType": "Runtime.HandlerError"}, "log": log}
    document = error_document(result, request_id="id", now="NOW")
    assert (document["errorType"], document["errorMessage"]) == (kind, text)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "Runtime exited without providing a reason"),
        (3, "Runtime exited with error: exit status 3"),
        (-6, "Runtime exited with error: signal: aborted"),
        (-9, "Runtime exited with error: signal: killed"),
    ],
)
def test_how_exits_are_worded(status: int, text: str) -> None:
    """As Lambda words them."""
    assert exit_text(status) == text


def test_a_function_sees_its_own_environment() -> None:
    """Its variables and Lambda's are there; the server's are not, unless the function defines the same."""
    config = {
        "FunctionName": "f",
        "Handler": "app.handler",
        "Runtime": "python3.13",
        "FunctionArn": "arn:aws:lambda:eu-west-3:1:function:f",
        "Environment": {"Variables": {"GATEWAY_PORT": "mine"}},
    }
    server = {"PATH": "/bin", "DOCKER_HOST": "d", "GATEWAY_PORT": "1"}
    given = {**server, "GATEWAY_PORT": "mine", "AWS_ACCESS_KEY_ID": "role"}
    seen = environment(config, given, server)
    assert "DOCKER_HOST" not in seen
    assert seen["GATEWAY_PORT"] == "mine"
    assert seen["AWS_REGION"] == "eu-west-3"
    assert seen["_HANDLER"] == "app.handler"
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert seen["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/f"


def test_container_definitions_are_translated() -> None:
    """What a definition asks for is asked of the engine; the container's memory wins over the task's."""
    definition = {"memory": "512"}
    container = {
        "user": "1000:1000",
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "entryPoint": ["/run"],
        "workingDirectory": "/w",
    }
    assert engine_options(container, definition) == {
        "user": "1000:1000",
        "read_only": True,
        "init": True,
        "cap_drop": ["ALL"],
        "entrypoint": ["/run"],
        "working_dir": "/w",
        "mem_limit": "512m",
        "memswap_limit": "512m",
    }
    assert engine_options({"memory": 64}, definition) == {"mem_limit": "64m", "memswap_limit": "64m"}


def test_volumes_without_a_host_are_empty_ones() -> None:
    """A mount point whose volume has no place on a host becomes an empty volume."""
    definition = {"volumes": [{"name": "tmp"}, {"name": "data", "host": {"sourcePath": "/d"}}]}
    points = [
        {"sourceVolume": "tmp", "containerPath": "/tmp"},
        {"sourceVolume": "data", "containerPath": "/data"},
        {"sourceVolume": "tmp", "containerPath": "/also", "readOnly": True},
    ]
    assert empty_volumes({"mountPoints": points}, definition) == [("/tmp", False), ("/also", True)]


class Stopped:
    """A container that has stopped; whoever follows its output is told half of it."""

    def logs(self, *, stream: bool, follow: bool | None = None, **_options: object) -> list[bytes]:
        """Give the output as the engine does; its client follows a stream where nothing is said."""
        followed = stream if follow is None else follow
        return [b"one\n", b"tw"] if followed else [b"one\n", b"two\nthr", b"ee\n"]

    def wait(self, **_options: object) -> None:
        """Has ended."""


def test_what_following_left_out_is_read_afterwards() -> None:
    """A stream that ends early loses no line, and no line comes twice."""
    assert list(lines(output(Stopped(), None))) == ["one", "two", "three"]


def test_lines_are_put_together() -> None:
    """Output that arrives in pieces becomes whole lines, the last one without end included."""
    assert list(lines([b"a", b"b\nc\r\n", "é".encode()[:1], "é".encode()[1:], b"\n\nlast"])) == [
        "ab",
        "c",
        "é",
        "",
        "last",
    ]
