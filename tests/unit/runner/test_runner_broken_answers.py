"""Answers of AWS that are cut off, empty, or another's: each is a broken transfer, and is asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doubles.runner_aws import BUCKET, FUNCTION, REQUEST_ID
from tests.unit.runner.conftest import HANDLERS, zipped
from tests.unit.runner.test_runner_refusals import only_line

if TYPE_CHECKING:
    from tests.unit.runner.conftest import Ended, Task

CUT = [b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nserver: x\r\n", b"HTTP/1.1 400 Bad\r\nx: "]
PAGE = 404, b"<html>Not here</html>"
"""What a proxy says; AWS names its errors."""
ERROR = b"<?xml version='1.0'?>\n<Error><Code>InternalError</Code><Message>try again</Message></Error>"
CALLS = [
    "code:download",
    "dynamodb:UpdateItem",
    "ecs:credentials",
    "ecs:metadata",
    "lambda:GetFunction",
    "lambda:GetLayerVersion",
    "s3:GetObject",
    "s3:PutObject",
]
WRONG = {
    "code:download": [(200, b""), (200, b"PK"), PAGE],
    "dynamodb:UpdateItem": [(200, b""), (200, b'{"Attributes": {'), (200, b"[]"), (400, b""), PAGE],
    "lambda:GetFunction": [(200, b""), (200, b'{"Configuration"'), (200, b"{}"), (403, b""), PAGE],
    "lambda:GetLayerVersion": [(200, b""), (200, b'{"Content"'), (200, b"{}"), PAGE],
    "s3:GetObject": [(200, b""), (200, b"nul"), (200, b'{"of": "another run"}'), (200, ERROR), (403, b""), PAGE],
    "s3:PutObject": [(200, ERROR), (400, b"<Error><Co"), PAGE],
}


def run(task: Task) -> Ended:
    """Run a function with a layer under a task's role, with some patience."""
    task.deploy("app.handler", layers={"lower": zipped(HANDLERS / "layers" / "lower")})
    return task.run(
        None,
        {"report": 7},
        AWS_ACCESS_KEY_ID="",
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{task.standin.url}/credentials",
        OVERTIME_PATIENCE_SECONDS="30",
    )


@pytest.mark.parametrize("call", CALLS)
def test_an_answer_that_is_cut_off_inside_its_head_is_asked_for_again(task: Task, call: str) -> None:
    task.standin.cut[call] = list(CUT)
    ended = run(task)
    assert (ended.code, ended.state, ended.result, ended.errors) == (0, "succeeded", {"report": 7}, "")
    assert task.standin.calls.count(call) > len(CUT)


@pytest.mark.parametrize("call", WRONG)
def test_an_answer_that_is_whole_but_wrong_is_asked_for_again(task: Task, call: str) -> None:
    task.standin.faults[call] = list(WRONG[call])
    ended = run(task)
    assert (ended.code, ended.state, ended.result, ended.errors) == (0, "succeeded", {"report": 7}, "")


def test_the_ends_write_is_asked_for_again_and_the_result_is_not_sent_twice(task: Task) -> None:
    standin = task.standin
    standin.on_call["s3:PutObject"] = lambda: standin.faults.update(
        {"dynamodb:UpdateItem": [(200, b""), (500, b""), (400, b'{"__type":"x#ResourceNotFoundException"}')]}
    )
    ended = run(task)
    assert (ended.code, ended.state, ended.result) == (0, "succeeded", {"report": 7})
    assert standin.calls.count("s3:PutObject") == 1


@pytest.mark.parametrize(
    "fault", [(403, b"<Error><Code>AccessDenied</Code></Error>"), (404, b"<Error><Code>NoSuchBucket</Code></Error>")]
)
def test_what_a_person_can_mend_does_not_cost_the_result_at_once(task: Task, fault: tuple[int, bytes]) -> None:
    task.standin.faults["s3:PutObject"] = [fault] * 3
    ended = run(task)
    assert (ended.code, ended.state, ended.result) == (0, "succeeded", {"report": 7})


def test_credentials_that_are_refused_for_a_moment_at_the_end_do_not_cost_the_result(task: Task) -> None:
    standin = task.standin
    standin.faults["s3:PutObject"] = [(400, b"<Error><Code>ExpiredToken</Code></Error>")]
    standin.on_call["s3:PutObject"] = lambda: standin.faults.update({"ecs:credentials": [(404, b"")] * 2})
    ended = run(task)
    assert (ended.code, ended.state, ended.result) == (0, "succeeded", {"report": 7})
    standin.on_call.clear()


def test_an_event_that_is_not_the_one_that_was_recorded_runs_nothing(task: Task) -> None:
    task.deploy("app.handler")
    task.standin.add_run(b'{"customer": 1}')
    task.standin.objects[f"{BUCKET}/events/{FUNCTION}/{REQUEST_ID}.json"] = b'{"customer": 2}'
    ended = task.ended(task.start())
    assert (ended.code, ended.state, ended.error["errorType"]) == (67, "failed", "Overtime.Unavailable")
    assert f"events/{FUNCTION}/{REQUEST_ID}.json has 15 bytes with the SHA-256 " in only_line(ended)
    assert "customer" not in ended.errors + ended.output
    assert "START" not in ended.output
