"""What keeps the runner from its work: exit code, the one line that says why, what the ledger keeps."""

from __future__ import annotations

import errno
import json
import os
import socket
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from overtime.runner.aws import Aws
from overtime.runner.config import read
from overtime.runner.credentials import CredentialSource
from overtime.runner.errors import CodeError, UnavailableError
from overtime.runner.fetch import fetch
from overtime.runner.retrying import RetryBudget
from tests.doubles.runner_aws import BUCKET, FUNCTION, FUNCTION_ARN, REQUEST_ID, TASK_ARN
from tests.unit.runner.conftest import HANDLERS, zipped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.runner.conftest import Ended, Task

DENIED = 400, b'{"__type":"AccessDeniedException","Message":"not authorized"}'
BUSY = 500, b'{"__type":"InternalServerError"}'
THROTTLED = 429, b'{"Type":"User","message":"Rate exceeded","Code":"TooManyRequestsException"}'


def only_line(ended: Ended) -> str:
    """Return the one line that says why; there must be one only."""
    assert ended.errors.count("\n") == 1, ended.errors
    assert ended.errors.startswith("overtime: ")
    return ended.errors


def test_code_that_is_not_what_was_deployed_is_not_run(task: Task) -> None:
    task.standin.add_function(zipped(HANDLERS), CodeSha256="AAAA", Handler="app.handler")
    ended = task.run()
    assert (ended.code, ended.state, ended.error["errorType"]) == (65, "failed", "Overtime.Code")
    assert "is not what was deployed: its SHA-256 is " in only_line(ended)
    assert list(task.task_root.iterdir()) == []


def test_a_layer_that_is_not_what_was_published_is_not_used(task: Task) -> None:
    task.deploy("app.handler", layers={"lower": zipped(HANDLERS / "layers" / "lower")})
    (layer,) = task.standin.layers.values()
    content = layer["Content"]
    assert isinstance(content, dict)
    content["CodeSha256"] = "AAAA"
    ended = task.run()
    assert (ended.code, ended.state) == (65, "failed")
    assert "layer:lower:1 is not what was deployed" in only_line(ended)


def test_code_that_is_no_zip(task: Task) -> None:
    task.standin.add_function(b"no zip at all", Handler="app.handler")
    ended = task.run()
    assert (ended.code, ended.state) == (65, "failed")
    assert "cannot be unpacked: these 13 bytes are not a zip archive" in only_line(ended)


@pytest.mark.parametrize(
    ("number", "advised"),
    [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.ENAMETOOLONG, False), (errno.EACCES, False)],
)
def test_more_storage_is_only_advised_for_a_full_disk(
    task: Task, monkeypatch: pytest.MonkeyPatch, number: int, *, advised: bool
) -> None:
    task.deploy("app.handler")
    config = read(task.standin.task_environment())
    assert config.function is not None
    monkeypatch.setattr("overtime.runner.fetch.unpack", Mock(side_effect=OSError(number, os.strerror(number))))
    credentials = CredentialSource(config.environ, RetryBudget(0))
    aws = Aws(region=config.region, endpoint=config.endpoint, credentials=credentials)
    with pytest.raises(CodeError, match=os.strerror(number)) as caught:
        fetch(aws, config, config.function)
    assert ("more ephemeral storage" in str(caught.value)) is advised


def test_a_function_that_is_gone(task: Task) -> None:
    ended = task.run()
    assert (ended.code, ended.state) == (65, "failed")
    assert f"reading {FUNCTION_ARN} failed: lambda:GetFunction answered 404 ResourceNotFoundException" in only_line(
        ended
    )


def test_a_function_of_another_language(task: Task) -> None:
    task.deploy("index.handler", Runtime="nodejs22.x")
    ended = task.run()
    assert ended.code == 65
    assert (
        f"{FUNCTION_ARN} runs on 'nodejs22.x', but this image runs only python functions: the function's runtime has "
        "changed since the stack was deployed. Run `pulumi up`"
    ) in only_line(ended)


def test_a_function_that_is_an_image(task: Task) -> None:
    task.deploy("app.handler", PackageType="Image")
    assert "only functions packaged as a zip can continue here" in only_line(task.run())


def test_a_download_that_breaks_down_once_is_made_again(task: Task) -> None:
    task.standin.faults["code:download"] = [(503, b"SlowDown")]
    assert task.run("app.handler", 1, OVERTIME_PATIENCE_SECONDS="5").code == 0


def test_a_download_that_is_refused(task: Task) -> None:
    task.standin.faults["code:download"] = [
        (403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
    ]
    ended = task.run("app.handler")
    assert ended.code == 65
    assert (
        "the function's code could not be downloaded: the store answered 403 AccessDenied: Request has expired"
        in only_line(ended)
    )


@pytest.mark.parametrize(
    ("call", "state"),
    [
        ("dynamodb:UpdateItem", "launching"),
        ("s3:GetObject", "failed"),
        ("lambda:GetFunction", "failed"),
        ("s3:PutObject", "running"),
    ],
)
def test_a_missing_permission_is_named(task: Task, call: str, state: str) -> None:
    task.standin.faults[call] = [DENIED]
    ended = task.run("app.handler")
    assert (ended.code, ended.state) == (66, state)
    line = only_line(ended)
    assert f"the task's role may not call {call}" in line
    assert "AWS answered 400 AccessDeniedException (not authorized)" in line
    # S3 says the same of an object that is not there, unless the role may list the bucket.
    assert ("or the object has expired" in line) is (call == "s3:GetObject")
    assert f"Allow {call} in the role that the task runs as." in ended.errors


def test_a_layer_that_may_not_be_read_names_the_permission(task: Task) -> None:
    task.deploy("app.handler", layers={"lower": zipped(HANDLERS / "layers" / "lower")})
    task.standin.faults["lambda:GetLayerVersion"] = [DENIED]
    ended = task.run()
    assert (ended.code, ended.state) == (66, "failed")
    assert "Allow lambda:GetLayerVersion in the role" in only_line(ended)


def test_variables_that_the_role_may_not_decrypt(task: Task) -> None:
    task.deploy("app.handler")
    configuration = task.standin.functions[FUNCTION]["Configuration"]
    assert isinstance(configuration, dict)
    configuration["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms"}}
    ended = task.run()
    assert ended.code == 66
    assert "Allow kms:Decrypt on the function's key" in only_line(ended)


@pytest.mark.parametrize("state", ["running", "succeeded", "failed", "cancelled", "skipped"])
def test_a_run_that_is_not_to_be_had_is_left_alone(task: Task, state: str) -> None:
    task.deploy("app.handler")
    task.standin.add_run(b"1", state=state)
    ended = task.ended(task.start())
    assert (ended.code, ended.state, ended.standin.result, ended.output) == (2, state, None, "")
    assert f"run {FUNCTION}/{REQUEST_ID} cannot be claimed for task attempt 1: in the ledger it is {state}" in (
        only_line(ended)
    )


def test_a_run_that_is_at_another_attempt_is_left_alone(task: Task) -> None:
    task.deploy("app.handler")
    task.standin.add_run(b"1", attempt=2)
    ended = task.ended(task.start())
    assert (ended.code, ended.state) == (2, "launching")
    assert "task attempt 2" in only_line(ended)


def test_a_run_that_the_ledger_does_not_know(task: Task) -> None:
    task.deploy("app.handler")
    ended = task.ended(task.start())
    assert (ended.code, "it is not in the ledger" in only_line(ended)) == (2, True)


def test_a_claim_whose_answer_was_lost_is_recognised(task: Task) -> None:
    """The write was made, the answer was not: the second try meets the process's own claim."""
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    task.standin.lose_answers["dynamodb:UpdateItem"] = 1
    ended = task.ended(task.start(OVERTIME_PATIENCE_SECONDS="5"))
    assert (ended.code, ended.state) == (0, "succeeded")
    assert ended.standin.calls.count("dynamodb:UpdateItem") == 3


def test_a_run_that_was_given_away_meanwhile_keeps_the_ledgers_word(task: Task) -> None:
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    task.standin.on_call["s3:PutObject"] = lambda: task.standin.run.update(attempt={"N": "2"}, state={"S": "queued"})
    ended = task.ended(task.start())
    assert (ended.code, ended.state) == (2, "queued")
    assert "ended here as succeeded, but no longer belongs to this task" in only_line(ended)


def test_a_ledger_that_cannot_be_reached(task: Task) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    ended = task.ended(task.start(AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}"))
    assert (ended.code, ended.state) == (67, "launching")
    assert f"claiming run {FUNCTION}/{REQUEST_ID} failed despite retries for 0 s: http://127.0.0.1:{port}" in only_line(
        ended
    )


def test_a_ledger_that_is_busy_is_tried_again(task: Task) -> None:
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    task.standin.faults["dynamodb:UpdateItem"] = [BUSY]
    assert task.ended(task.start(OVERTIME_PATIENCE_SECONDS="5")).code == 0


def test_a_table_that_does_not_exist_is_not_tried_again(task: Task) -> None:
    task.standin.faults["dynamodb:UpdateItem"] = [(400, b'{"__type":"x#ResourceNotFoundException"}')]
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    ended = task.ended(task.start(OVERTIME_PATIENCE_SECONDS="60"))
    assert ended.code == 67
    assert "failed: dynamodb:UpdateItem answered 400 ResourceNotFoundException" in only_line(ended)


def test_an_event_that_is_gone(task: Task) -> None:
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    del task.standin.objects[f"{BUCKET}/events/{FUNCTION}/{REQUEST_ID}.json"]
    ended = task.ended(task.start())
    assert (ended.code, ended.state, ended.error["errorType"]) == (67, "failed", "Overtime.Unavailable")
    assert "reading the event" in only_line(ended)


@pytest.mark.parametrize(
    ("call", "fault", "doing"),
    [
        ("lambda:GetFunction", THROTTLED, f"reading {FUNCTION_ARN} failed despite retries for 0 s: "),
        ("lambda:GetLayerVersion", THROTTLED, "layer:lower:1 failed despite retries for 0 s: "),
        ("code:download", (503, b"SlowDown"), "the function's code could not be downloaded despite retries for 0 s: "),
        (
            "s3:GetObject",
            (503, b"<Error><Code>SlowDown</Code></Error>"),
            "failed despite retries for 0 s: s3:GetObject",
        ),
    ],
)
def test_what_may_pass_leaves_the_run_open_for_the_next_task(
    task: Task, call: str, fault: tuple[int, bytes], doing: str
) -> None:
    """The handler has not begun, so the runner does not close its run; the watcher launches another by exit code 67."""
    task.deploy("app.handler", layers={"lower": zipped(HANDLERS / "layers" / "lower")})
    task.standin.faults[call] = [fault] * 100
    ended = task.run()
    assert (ended.code, ended.state, ended.standin.result) == (67, "running", None)
    assert doing in only_line(ended)
    assert "START" not in ended.output


@pytest.mark.parametrize(
    ("call", "fault"), [("lambda:GetFunction", THROTTLED), ("code:download", (429, b"")), ("s3:GetObject", BUSY)]
)
def test_what_the_handler_needs_is_asked_for_again_for_as_long_as_the_task_is_patient(
    task: Task, call: str, fault: tuple[int, bytes]
) -> None:
    task.standin.faults[call] = [fault] * 3
    assert task.run("app.handler", 1, OVERTIME_PATIENCE_SECONDS="20").code == 0


def test_a_download_is_given_up_while_its_address_is_still_good(
    task: Task, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lambda signs it for 10 minutes; after them S3 says 403, which would close the run for good."""
    slept: list[float] = []
    task.deploy("app.handler")
    task.standin.faults["code:download"] = [(503, b"")] * 1_000

    class Clock(RetryBudget):
        def __init__(self, seconds: float) -> None:
            super().__init__(seconds, sleep=slept.append, clock=lambda: sum(slept))

    monkeypatch.setattr("overtime.runner.fetch.RetryBudget", Clock)
    config = read({**task.standin.task_environment(), "OVERTIME_PATIENCE_SECONDS": "86400"})
    config.task_root = str(tmp_path)
    assert config.function is not None
    credentials = CredentialSource(config.environ, Clock(0))
    aws = Aws(region=config.region, endpoint=config.endpoint, credentials=credentials)
    with pytest.raises(UnavailableError, match="could not be downloaded despite retries for 480 s"):
        fetch(aws, config, config.function)
    assert 400 < sum(slept) <= 480


def test_a_token_that_stays_expired_is_no_missing_permission(task: Task) -> None:
    """Lambda says 403 of it; the next task has another token."""
    task.standin.faults["lambda:GetFunction"] = [(403, b'{"Code":"ExpiredTokenException"}')]
    ended = task.run("app.handler")
    assert (ended.code, ended.state) == (67, "running")


def test_an_environment_that_says_nothing(task: Task) -> None:
    ended = task.ended(task.start(OVERTIME_RUN_KEY="", OVERTIME_LEDGER_TABLE=""))
    assert ended.code == 64
    assert "OVERTIME_RUN_KEY, OVERTIME_LEDGER_TABLE missing" in only_line(ended)


def test_the_credentials_of_the_tasks_role_are_used(task: Task) -> None:
    ended = task.run(
        "app.handler",
        1,
        AWS_ACCESS_KEY_ID="",
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{task.standin.url}/credentials",
    )
    assert (ended.code, "ecs:credentials" in ended.standin.calls) == (0, True)


def test_credentials_that_cannot_be_had_leave_the_run_unclaimed(task: Task) -> None:
    task.standin.faults["ecs:credentials"] = [(503, b"")] * 100
    ended = task.run(
        "app.handler",
        AWS_ACCESS_KEY_ID="",
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{task.standin.url}/credentials",
    )
    assert (ended.code, ended.state) == (67, "launching")
    assert "the task role's credentials could not be fetched from the container's endpoint" in only_line(ended)


def test_no_credentials_at_all(task: Task) -> None:
    ended = task.run("app.handler", 1, AWS_ACCESS_KEY_ID="")
    assert ended.code == 66
    assert "there are no AWS credentials" in only_line(ended)


def test_the_claim_names_the_task_that_ecs_says_this_is(task: Task) -> None:
    assert task.run("app.handler").standin.run["task_arn"] == {"S": TASK_ARN}


@pytest.mark.parametrize("answer", [(500, b""), (200, b"not JSON"), (200, b"{}"), (200, b"[]")])
def test_a_task_whose_name_ecs_does_not_tell_claims_nothing(task: Task, answer: tuple[int, bytes]) -> None:
    """Under any other name the watcher would take it for another run's task, and never hear of its end."""
    task.standin.faults["ecs:metadata"] = [answer] * 100
    ended = task.run("app.handler")
    assert (ended.code, ended.state, "task_arn" in ended.standin.run) == (67, "launching", False)
    assert "dynamodb:UpdateItem" not in ended.standin.calls
    assert "ECS did not identify this task within 0 s, so its run was not claimed" in only_line(ended)


def test_ecs_is_asked_again_which_task_this_is(task: Task) -> None:
    task.standin.faults["ecs:metadata"] = [(500, b""), (429, b"")]
    ended = task.run("app.handler", OVERTIME_PATIENCE_SECONDS="20")
    assert (ended.code, ended.standin.run["task_arn"]) == (0, {"S": TASK_ARN})


def test_outside_of_ecs_the_claim_names_the_host(task: Task) -> None:
    """By hand there is no ECS to ask, and no watcher that looks for the task."""
    ended = task.run("app.handler", ECS_CONTAINER_METADATA_URI_V4="")
    assert (ended.code, ended.standin.run["task_arn"]) == (0, {"S": socket.gethostname()})


@pytest.mark.parametrize("handler", ["app.handler", "behaviours.raises", "behaviours.exits", "at_import.handler"])
def test_nothing_of_event_result_or_variables_is_in_the_log(task: Task, handler: str) -> None:
    task.deploy(handler, variables={"GREETING": "s3cret-variable"})
    task.standin.add_run(json.dumps({"password": "s3cret-event"}).encode())
    ended = task.ended(task.start())
    assert "s3cret" not in ended.output + ended.errors


def test_nothing_of_event_or_variables_is_in_the_log_of_a_runner_that_fails(task: Task) -> None:
    task.deploy("app.handler", variables={"GREETING": "s3cret-variable"})
    task.standin.add_run(json.dumps({"password": "s3cret-event"}).encode())
    task.standin.faults["s3:PutObject"] = [DENIED]
    ended = task.ended(task.start())
    assert ended.code == 66
    assert "s3cret" not in ended.output + ended.errors
