"""What the emulator refuses in the words of ECS and Lambda: pure parts."""

from __future__ import annotations

import json

import pytest

from local.emulator.patches.ecs_calls import wrong_task, wrong_tasks
from local.emulator.patches.lambda_requests import REQUEST_BYTES, too_large, wrong_variables

ID = "0123456789abcdef0123456789abcdef"
LENGTH = "taskId length should be one of [32,36]"


@pytest.mark.parametrize("task", [ID, f"arn:aws:ecs:eu-west-1:1:task/c/{ID}", "2f0b9f3e-4d2b-4ccf-a8c4-d454db0ee121"])
def test_a_task_is_named_by_its_id_or_arn(task: str) -> None:
    """Ids have 32 characters, or 36 in the older form; in an ARN the id is what comes last."""
    assert not wrong_task(task)


@pytest.mark.parametrize("task", ["", "None", ID[:-1], f"{ID}0", "arn:aws:ecs:eu-west-1:1:task/c/gone"])
def test_what_has_another_length_is_no_task_id(task: str) -> None:
    """ECS says which lengths there are."""
    assert wrong_task(task) == LENGTH


def test_one_wrong_task_id_spoils_the_whole_call() -> None:
    """DescribeTasks names what is wrong with any of its tasks, however many are right; it takes 1 to 100."""
    assert wrong_tasks([ID, "gone", ID]) == LENGTH
    assert wrong_tasks([ID] * 101) == "taskIds can have at most 100 items."
    assert wrong_tasks([]) == "Tasks cannot be empty."
    assert not wrong_tasks([ID] * 100)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/2015-03-31/functions", "CreateFunction"),
        ("PUT", "/2015-03-31/functions/f/code", "UpdateFunctionCode"),
        ("POST", "/2018-10-31/layers/l/versions", "PublishLayerVersion"),
    ],
)
def test_a_request_with_code_may_have_less_than_70167211_bytes(method: str, path: str, name: str) -> None:
    """One byte less is taken; the words name the operation."""
    assert not too_large(method, path, REQUEST_BYTES - 1)
    expected = f"Request must be smaller than 70167211 bytes for the {name} operation"
    assert too_large(method, path, REQUEST_BYTES) == expected


def test_other_requests_have_other_limits() -> None:
    """An invocation's payload is not the code of a function."""
    assert not too_large("POST", "/2015-03-31/functions/f/invocations", REQUEST_BYTES)
    assert not too_large("GET", "/2015-03-31/functions", REQUEST_BYTES)


@pytest.mark.parametrize("name", ["", "A", "_TOKEN", "1ST", "MY-TOKEN", "MY TOKEN", "TOKÉN", "TOKEN\n"])
def test_a_variables_name_that_lambda_refuses(name: str) -> None:
    """It begins with a letter, has two characters or more, and letters, digits and underscores only."""
    body = json.dumps({"Environment": {"Variables": {"FINE": "1", name: "2"}}}).encode()
    assert wrong_variables(body).endswith("regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b'{"Environment": null}', b'{"Environment": {"Variables": {"a_1": ""}}}']
)
def test_variables_that_lambda_takes(body: bytes) -> None:
    """No variables, or well-named ones; what is no JSON is somebody else's to refuse."""
    assert not wrong_variables(body)
