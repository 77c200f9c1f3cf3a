from __future__ import annotations

from dataclasses import replace

import boto3
import pytest
from botocore.stub import Stubber

from overtime.contract.runs import RunKey
from overtime.lambdas.dispatcher.launch import Launched, LaunchPlan, NoCapacity, Rejected, Throttled, Unclear, launch

PLAN = LaunchPlan(
    key=RunKey("report", "r-1"),
    attempt=1,
    run_task={
        "cluster": "arn:aws:ecs:eu-west-1:1:cluster/c",
        "taskDefinition": "report",
        "propagateTags": "TASK_DEFINITION",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"]}},
    },
)
TASK = "arn:aws:ecs:eu-west-1:1:task/c/a"
VCPU_QUOTA = (
    "You've reached the limit on the number of vCPUs you can run concurrently. For more information, see the "
    "Troubleshooting section of the Amazon ECS Developer Guide."
)
TASK_QUOTA = VCPU_QUOTA.replace("vCPUs", "tasks")
EC2 = "Error retrieving security group information for [sg-1]: "


def test_a_plan_always_gives_the_same_request() -> None:
    """A repeated call is the same call, or ECS would refuse the token."""
    assert PLAN.request() == replace(PLAN).request()


def test_a_request_is_what_all_runs_have_and_what_only_this_one_has() -> None:
    """The program's parameters as they are, and beside them nothing of the run but its key and attempt."""
    request = PLAN.request()
    own = {"count", "clientToken", "startedBy", "overrides", "launchType"}
    assert {name: value for name, value in request.items() if name not in own} == PLAN.run_task
    assert request["overrides"] == {
        "containerOverrides": [
            {
                "name": "runner",
                "environment": [
                    {"name": "OVERTIME_RUN_KEY", "value": "report/r-1"},
                    {"name": "OVERTIME_TASK_ATTEMPT", "value": "1"},
                ],
            }
        ]
    }


def test_a_request_names_the_version_where_the_failure_record_did() -> None:
    [container] = replace(PLAN, version="7", qualifier="live").request()["overrides"]["containerOverrides"]
    assert container["environment"][2:] == [
        {"name": "OVERTIME_FUNCTION_VERSION", "value": "7"},
        {"name": "OVERTIME_FUNCTION_QUALIFIER", "value": "live"},
    ]


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
        ({"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}, NoCapacity("RESOURCE:CPU")),
        ({"tasks": [], "failures": [{"reason": VCPU_QUOTA}]}, NoCapacity(VCPU_QUOTA)),
        ({"tasks": [], "failures": [{"reason": TASK_QUOTA}]}, NoCapacity(TASK_QUOTA)),
        (
            {"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}, {"reason": "Rate exceeded"}]},
            Throttled("RESOURCE:CPU; Rate exceeded"),
        ),
        (
            {"tasks": [], "failures": [{"reason": "AGENT"}, {"reason": "MISSING", "detail": "x"}]},
            Rejected("AGENT; MISSING (x)"),
        ),
        ({"tasks": [], "failures": []}, Unclear("RunTask returned neither a task nor a failure")),
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
        ("AccessDeniedException", 400, Rejected),
        ("UnrecognizedClientException", 400, Rejected),
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


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("ClientException", VCPU_QUOTA, NoCapacity),
        ("InvalidParameterException", TASK_QUOTA, NoCapacity),
        ("ClientException", "Capacity is unavailable at this time. Please try again later.", NoCapacity),
        ("InvalidParameterException", f"{EC2}Request limit exceeded. (ErrorCode: RequestLimitExceeded)", Throttled),
        ("InvalidParameterException", f"{EC2}(Service: AmazonEC2; Error Code: RequestLimitExceeded)", Throttled),
        ("InvalidParameterException", f"{EC2}An internal error has occurred (ErrorCode: InternalError)", Throttled),
        ("ClientException", "Rate exceeded", Throttled),
        (
            "InvalidParameterException",
            f"{EC2}The ID 'sg-1' does not exist (ErrorCode: InvalidGroup.NotFound)",
            Rejected,
        ),
        ("InvalidParameterException", "The specified capacity provider 'FARGATE_SPOT' was not found.", Rejected),
    ],
)
def test_an_errors_text_tells_what_passes_from_what_a_person_fixes(
    code: str, text: str, kind: type[NoCapacity | Throttled | Rejected]
) -> None:
    """Quotas, capacity and EC2's throttling come under the codes of wrong requests, too."""
    ecs = boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(ecs) as stub:
        stub.add_client_error("run_task", code, text, http_status_code=400)
        assert launch(ecs, PLAN) == kind(f"{code}: {text}")


def test_a_conflict_that_names_its_task_is_a_launch() -> None:
    """The same token with other parameters: the task of the first call is the run's."""
    ecs = boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(ecs) as stub:
        stub.add_client_error(
            "run_task", "ConflictException", "conflict", modeled_fields={"resourceIds": [TASK]}, http_status_code=400
        )
        assert launch(ecs, PLAN) == Launched(TASK)


def test_a_parameter_that_run_task_does_not_have_needs_an_operator() -> None:
    """The client refuses it before anything is sent, so no task can have started."""
    ecs = boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    wrong = replace(PLAN, run_task={**PLAN.run_task, "speed": "high"})  # type: ignore[typeddict-unknown-key]
    outcome = launch(ecs, wrong)
    assert isinstance(outcome, Rejected)
    assert 'Unknown parameter in input: "speed"' in outcome.reason
