from __future__ import annotations

from dataclasses import replace

import boto3
import pytest
from botocore.stub import Stubber

from lambdas.dispatcher.launch import Denied, Launched, LaunchPlan, NothingStarted, Rejected, Throttled, Unclear, launch
from overtime.ledger.model import RunKey

PLAN = LaunchPlan(
    key=RunKey("report", "r-1"),
    attempt=1,
    cluster_arn="arn:aws:ecs:eu-west-1:1:cluster/c",
    task_family="report",
    container_name="runner",
    subnet_ids=("subnet-1", "subnet-2"),
    security_group_ids=("sg-1",),
    assign_public_ip="DISABLED",
)
TASK = "arn:aws:ecs:eu-west-1:1:task/c/a"


def test_a_plan_always_gives_the_same_request() -> None:
    """A repeated call is the same call, or ECS would refuse the token."""
    assert PLAN.request() == replace(PLAN).request()


def test_the_token_belongs_to_one_attempt_of_one_run() -> None:
    """It is 64 characters, and another for every run and attempt."""
    tokens = {
        PLAN.client_token,
        replace(PLAN, attempt=2).client_token,
        replace(PLAN, key=RunKey("report", "r-2")).client_token,
    }
    assert {len(token) for token in tokens} == {64}
    assert len(tokens) == 3


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"tasks": [{"taskArn": TASK}], "failures": []}, Launched(TASK)),
        ({"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}, NothingStarted("RESOURCE:CPU")),
        (
            {"tasks": [], "failures": [{"reason": "AGENT"}, {"reason": "MISSING", "detail": "x"}]},
            Rejected("AGENT; MISSING (x)"),
        ),
        ({"tasks": [], "failures": []}, Unclear("RunTask named neither a task nor a failure")),
    ],
)
def test_answers_become_outcomes(answer: dict[str, object], outcome: object) -> None:
    """HTTP 200 is not yet a task; the request is one that the real service model accepts."""
    ecs = boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(ecs) as stub:
        stub.add_response("run_task", answer, dict(PLAN.request()))
        assert launch(ecs, PLAN) == outcome


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 400, Throttled),
        ("TooManyRequestsException", 429, Throttled),
        ("AccessDeniedException", 400, Denied),
        ("UnrecognizedClientException", 400, Denied),
        ("InvalidParameterException", 400, Rejected),
        ("ClientException", 400, Rejected),
        ("ServerException", 500, Unclear),
        ("InternalFailure", 503, Unclear),
        ("ConflictException", 400, Unclear),
    ],
)
def test_errors_become_outcomes(code: str, status: int, kind: type[object]) -> None:
    """Only an error that says so counts as nothing started."""
    ecs = boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(ecs) as stub:
        stub.add_client_error("run_task", code, "the text", http_status_code=status)
        outcome = launch(ecs, PLAN)
    assert type(outcome) is kind
    assert "the text" in str(outcome)


def test_a_conflict_that_names_its_task_is_a_launch() -> None:
    """The same token with other parameters: the task of the first call is the run's."""
    ecs = boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(ecs) as stub:
        stub.add_client_error(
            "run_task", "ConflictException", "conflict", modeled_fields={"resourceIds": [TASK]}, http_status_code=400
        )
        assert launch(ecs, PLAN) == Launched(TASK)
