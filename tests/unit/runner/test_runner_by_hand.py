"""The runner from environment variables alone: `docker run -e AWS_LAMBDA_FUNCTION_EVENT=…`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.runner.conftest import HANDLERS

if TYPE_CHECKING:
    from tests.unit.runner.conftest import Task


def test_the_last_line_of_stdout_is_the_result(task: Task) -> None:
    ended = task.by_hand('{"a": 1}', "app.handler")
    assert (ended.code, ended.output) == (0, '{"a": 1}\n')


def test_start_and_report_lines_leave_stdout_to_the_handler(task: Task) -> None:
    errors = task.by_hand("1", "app.handler").errors.splitlines()
    assert [line.split(" ")[0] for line in errors] == ["START", "END", "REPORT"]


def test_nothing_is_asked_of_aws(task: Task) -> None:
    ended = task.by_hand("1", "app.handler", AWS_ENDPOINT_URL=task.standin.url)
    assert (ended.code, ended.standin.calls) == (0, [])


@pytest.mark.parametrize("path", [f"{HANDLERS}:pkg/mod.handler", f"{HANDLERS}/pkg/mod.handler"])
def test_the_handlers_path_may_name_the_folder(task: Task, path: str) -> None:
    ended = task.by_hand("1", path, LAMBDA_TASK_ROOT="/nowhere")
    assert ended.code == 0
    assert json.loads(ended.output)["event"] == 1


def test_a_context_that_is_not_given_is_made_up(task: Task) -> None:
    seen = json.loads(task.by_hand("1", "seen.handler").output)["context"]
    names = "function_name", "function_version", "log_group_name", "log_stream_name"
    assert [seen[name] for name in names] == ["by-hand", "$LATEST", "/aws/lambda/by-hand", "by-hand"]


def test_the_context_comes_from_its_variable(task: Task) -> None:
    given = {
        "aws_request_id": "0" * 36,
        "function_name": "by-me",
        "function_version": "7",
        "invoked_function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:by-me:7",
        "log_group_name": "/mine",
        "log_stream_name": "stream",
        "memory_limit_in_mb": "512",
        "tenant_id": "tenant",
        "client_context": {"custom": {"key": "välue"}, "env": None, "client": None},
        "identity": {"cognitoIdentityId": "me", "cognitoIdentityPoolId": "pool"},
    }
    ended = task.by_hand("1", "seen.handler", AWS_LAMBDA_FUNCTION_CONTEXT=json.dumps(given))
    seen = json.loads(ended.output)["context"]
    plain = given.keys() - {"client_context", "identity"}
    assert {name: seen[name] for name in plain} == {name: given[name] for name in plain}
    assert seen["client_context"]["custom"] == {"key": "välue"}
    assert seen["identity"] == {"cognito_identity_id": "me", "cognito_identity_pool_id": "pool"}


def test_a_name_that_is_null_is_no_name(task: Task) -> None:
    ended = task.by_hand("1", "seen.handler", AWS_LAMBDA_FUNCTION_CONTEXT='{"function_name": null}')
    assert json.loads(ended.output)["context"]["function_name"] == "by-hand"


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_made_up_arn_has_the_partition_of_the_region(task: Task, region: str, partition: str) -> None:
    ended = task.by_hand("1", "seen.handler", AWS_REGION=region)
    made_up = f"arn:{partition}:lambda:{region}:000000000000:function:by-hand"
    assert json.loads(ended.output)["context"]["invoked_function_arn"] == made_up


def test_what_is_set_by_hand_is_for_the_handler(task: Task) -> None:
    assert task.by_hand("1", "at_import.handler", GREETING="hello").output == '"hello"\n'


def test_the_runners_own_variables_are_not(task: Task) -> None:
    environment = json.loads(task.by_hand("1", "seen.handler").output)["environment"]
    assert not [name for name in environment if name.startswith(("OVERTIME_", "AWS_LAMBDA_FUNCTION_EVENT"))]


def test_a_wrapper_that_is_set_by_hand_starts_the_runtime(task: Task) -> None:
    wrapper = task.folder / "wrapper"
    wrapper.write_text('#!/bin/sh\nGREETING=wrapped exec "$@"\n')
    wrapper.chmod(0o755)
    ended = task.by_hand("1", "at_import.handler", AWS_LAMBDA_EXEC_WRAPPER=str(wrapper))
    assert ended.output == '"wrapped"\n'


def test_the_result_can_go_to_a_file(task: Task) -> None:
    file = task.folder / "result.json"
    ended = task.by_hand("[1]", "app.handler", OVERTIME_RESULT_FILE=str(file))
    assert (ended.output, file.read_bytes()) == ("", b"[1]")


def test_a_handler_that_raises_ends_with_1_and_lambdas_document(task: Task) -> None:
    ended = task.by_hand("1", "behaviours.raises")
    assert (ended.code, json.loads(ended.output.splitlines()[-1])["errorType"]) == (1, "LookupError")


def test_the_code_can_be_fetched_for_an_event_by_hand(task: Task) -> None:
    task.deploy("app.handler")
    environ = task.standin.task_environment() | {"LAMBDA_TASK_ROOT": str(task.task_root)}
    ended = task.by_hand("[2]", **environ)
    assert (ended.code, ended.output) == (0, "[2]\n")


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"AWS_LAMBDA_FUNCTION_EVENT": "{"}, "AWS_LAMBDA_FUNCTION_EVENT is not JSON"),
        ({"AWS_LAMBDA_HANDLER_PATH": ""}, "AWS_LAMBDA_HANDLER_PATH is missing: name the handler as in Lambda"),
        ({"AWS_LAMBDA_FUNCTION_CONTEXT": "{"}, "AWS_LAMBDA_FUNCTION_CONTEXT is not JSON"),
        ({"AWS_LAMBDA_FUNCTION_CONTEXT": '{"nmae": 1}'}, "must be an object of aws_request_id, client_context"),
        ({"AWS_LAMBDA_FUNCTION_CONTEXT": '{"memory_limit_in_mb": "much"}'}, "must be a whole number of MB"),
        ({"AWS_LAMBDA_FUNCTION_CONTEXT": '{"trace_id": "a\\nb"}'}, "trace_id must be a text of printable ASCII"),
        ({"AWS_LAMBDA_FUNCTION_CONTEXT": '{"function_name": 3}'}, "function_name must be a text of printable"),
    ],
)
def test_a_wrong_setting_is_said_in_one_line(task: Task, environ: dict[str, str], text: str) -> None:
    ended = task.by_hand("1", "app.handler", **environ)
    assert (ended.code, ended.output, ended.errors.count("\n")) == (64, "", 1)
    assert text in ended.errors
