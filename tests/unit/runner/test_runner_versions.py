"""Which of a function's versions a task runs, if the run names the one that failed on Lambda."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.doubles.runner_aws import FUNCTION_ARN
from tests.unit.runner.conftest import HANDLERS, zipped

if TYPE_CHECKING:
    from tests.unit.runner.conftest import Ended, Task

NAMED = {"OVERTIME_FUNCTION_VERSION": "1", "OVERTIME_FUNCTION_QUALIFIER": "live"}


def deploy(task: Task, *versions: str, live: str = "2") -> None:
    """Deploy these versions beside `$LATEST` and an alias: each has its own variable, and the first a layer."""
    lower = {"lower": zipped(HANDLERS / "layers" / "lower")}
    for qualifier in ("$LATEST", *versions, "live"):
        version = live if qualifier == "live" else qualifier
        task.deploy(
            "seen.handler",
            qualifier=None if qualifier == "$LATEST" else qualifier,
            layers=lower if version == "1" else {},
            variables={"OWN": f"of {version}"},
            Version=version,
        )


def ran(ended: Ended) -> tuple[str, str, str]:
    """Return version, own variable and invoked ARN, as the handler saw them."""
    assert (ended.code, ended.state) == (0, "succeeded"), ended.errors
    assert ended.standin.result is not None
    seen = json.loads(ended.standin.result)
    context = seen["context"]
    return context["function_version"], seen["environment"]["OWN"], context["invoked_function_arn"]


def test_the_version_that_failed_runs_with_its_own_variables_and_layers(task: Task) -> None:
    deploy(task, "1", "2")
    ended = task.run(None, {}, **NAMED)
    assert ran(ended) == ("1", "of 1", f"{FUNCTION_ARN}:live")
    assert ended.standin.run["executed_version"] == {"S": "1"}
    assert any(task.layer_root.rglob("*.py"))
    assert "Version: 1\n" in ended.output
    assert ended.errors == ""


@pytest.mark.parametrize(
    ("named", "executed", "missing"),
    [
        (NAMED, "2", "version 1"),
        (NAMED | {"OVERTIME_FUNCTION_QUALIFIER": "removed"}, "$LATEST", "version 1 or alias removed"),
        (NAMED | {"OVERTIME_FUNCTION_QUALIFIER": "1"}, "$LATEST", "version 1"),
        ({"OVERTIME_FUNCTION_QUALIFIER": "removed"}, "$LATEST", "alias removed"),
    ],
)
def test_a_version_that_is_gone_is_replaced_by_what_was_invoked_and_the_log_says_so(
    task: Task, named: dict[str, str], executed: str, missing: str
) -> None:
    deploy(task, "2")
    ended = task.run(None, {}, **named)
    assert ran(ended)[:2] == (executed, f"of {executed}")
    assert ended.standin.run["executed_version"] == {"S": executed}
    assert ended.errors == (
        f"overtime: report no longer has {missing}, which failed on Lambda, so version {executed} runs instead.\n"
    )


def test_a_run_that_names_no_version_runs_what_is_deployed(task: Task) -> None:
    deploy(task, "1", "2")
    ended = task.run(None, {})
    assert ran(ended) == ("$LATEST", "of $LATEST", FUNCTION_ARN)
    assert "executed_version" not in ended.standin.run


@pytest.mark.parametrize(
    ("status", "error", "code", "state"),
    [
        (403, "AccessDeniedException", 66, "failed"),
        (429, "TooManyRequestsException", 67, "running"),
        (400, "InvalidParameterValueException", 65, "failed"),
    ],
)
def test_another_error_than_that_it_is_gone_lets_no_other_code_run(
    task: Task, status: int, error: str, code: int, state: str
) -> None:
    deploy(task, "1", "2")
    task.standin.faults["lambda:GetFunction"] = [(status, json.dumps({"Code": error, "Message": "no"}).encode())]
    ended = task.run(None, {}, **NAMED)
    assert (ended.code, ended.state) == (code, state)
    assert "executed_version" not in ended.standin.run


def test_a_function_that_is_gone_altogether(task: Task) -> None:
    ended = task.run(None, {}, **NAMED)
    assert (ended.code, ended.state) == (65, "failed")
    assert f"reading {FUNCTION_ARN}:live failed" in ended.errors
