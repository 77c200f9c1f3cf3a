"""One RunTask call: its request as a value, sent once, and its answer as a value.

The client token makes the call idempotent: a second call with the same token returns the task of the first. ECS keeps a
token for 24 hours, or less if its task has stopped (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html),
but a failure record lives for 14 days. So it is not the token but the ledger that guarantees that a run has one task. A
run that has a task is never launched again. If it has none, because the dispatcher crashed before it recorded the
answer, RunTask is called again with the same token, however old it is. Either ECS still knows the token, or a second
task starts. By then the first one has stopped, or one of the two loses the claim: only one task can claim an attempt,
and the other exits with 2 before the handler starts. Waiting instead would lose runs whose first call never reached
ECS. Searching for the task would not help either, because ECS forgets stopped tasks within an hour.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from overtime.contract import variables
from overtime.contract.aws_errors import THROTTLED
from overtime.contract.capacity import Capacity
from overtime.contract.task import CONTAINER_NAME

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import (
        FailureTypeDef,
        KeyValuePairTypeDef,
        RunTaskRequestTypeDef,
        RunTaskResponseTypeDef,
    )

    from overtime.contract.runs import RunKey
    from overtime.lambdas.dispatcher.config import Config
    from overtime.ledger.run import Run

STARTED_BY = "overtime"

_FULL = r"Capacity is unavailable|reached the limit on the number of .+ concurrently"
"""Fargate has no capacity, or the account's quota is used up: "You've reached the limit on the number of vCPUs you can
run concurrently" (older accounts: of tasks). Both are temporary, until other tasks end."""
_NO_CAPACITY = re.compile(rf"^RESOURCE|capacity|{_FULL}", re.IGNORECASE)
"""In `failures`; other reasons, such as MISSING, need an operator."""
_NO_CAPACITY_ERROR = re.compile(_FULL, re.IGNORECASE)
"""In an error, whose text may also name a capacity provider that does not exist."""
_THROTTLED = re.compile(r"RequestLimitExceeded|Rate exceeded|Error ?Code: InternalError", re.IGNORECASE)
"""ECS asks EC2 about subnets and security groups, and reports EC2's errors as an InvalidParameterException: "Error
retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode: RequestLimitExceeded)"."""
_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class LaunchPlan:
    """The content of a RunTask call; a run's attempt has the same request each time, unless settings have changed."""

    key: RunKey
    attempt: int
    run_task: RunTaskRequestTypeDef
    """What is the same for all runs of the function."""
    spot: bool = False
    version: str | None = None
    """The published version that failed on Lambda, if the failure record names it."""
    qualifier: str | None = None
    """The version or alias that was invoked, if the failure record names it."""

    @property
    def client_token(self) -> str:
        """64 characters, unique to the run and attempt; different for Spot, because its parameters differ."""
        capacity = "#spot" if self.spot else ""
        return hashlib.sha256(f"{self.key}#{self.attempt}{capacity}".encode()).hexdigest()

    def request(self) -> RunTaskRequestTypeDef:
        """Build the request; its overrides only name run, attempt and version, because events and logs show them."""
        environment: list[KeyValuePairTypeDef] = [
            {"name": variables.RUN_KEY, "value": str(self.key)},
            {"name": variables.TASK_ATTEMPT, "value": str(self.attempt)},
        ]
        named = {variables.FUNCTION_VERSION: self.version, variables.FUNCTION_QUALIFIER: self.qualifier}
        environment += [{"name": name, "value": value} for name, value in named.items() if value is not None]
        request: RunTaskRequestTypeDef = {
            **self.run_task,
            "count": 1,
            "clientToken": self.client_token,
            "startedBy": STARTED_BY,
            "overrides": {"containerOverrides": [{"name": CONTAINER_NAME, "environment": environment}]},
        }
        if self.spot:
            request["capacityProviderStrategy"] = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
        else:
            request["launchType"] = "FARGATE"
        return request


@dataclass(frozen=True)
class Launched:
    """The attempt's task, started by this call or by an earlier one with the same token."""

    task_arn: str


@dataclass(frozen=True)
class NoCapacity:
    """No task started: Fargate has no capacity, or the account's quota is used up."""

    reason: str


@dataclass(frozen=True)
class Throttled:
    """No task started: ECS, or EC2 behind it, throttled the call and the client's few retries."""

    reason: str


@dataclass(frozen=True)
class Rejected:
    """No task started, for a reason that needs an operator: a missing permission, cluster, family or subnet."""

    reason: str


@dataclass(frozen=True)
class Unclear:
    """No answer, or an unclear one: a task may have started."""

    reason: str


Outcome = Launched | NoCapacity | Throttled | Rejected | Unclear


def plan(config: Config, run: Run, *, on_demand: bool = False) -> LaunchPlan:
    """Plan the launch of a run's current attempt.

    Only the first attempt uses Spot, because further attempts should not be interrupted. `on_demand` means that Spot
    was just found to have no capacity for this attempt. All else comes from the ledger, so a repeated call has the same
    parameters.
    """
    return LaunchPlan(
        key=run.key,
        attempt=run.attempt,
        run_task=config.run_task,
        spot=config.capacity is Capacity.SPOT and run.attempt == 1 and not (on_demand or run.on_demand),
        version=run.failure.version,
        qualifier=run.failure.qualifier,
    )


def launch(ecs: ECSClient, planned: LaunchPlan) -> Outcome:
    """Call RunTask once (the client itself retries with the same token) and return the outcome."""
    try:
        answer = ecs.run_task(**planned.request())
    except ClientError as error:
        return _refused(error)
    except ParamValidationError as error:
        return Rejected(f"the request is not one of RunTask's, so it was not sent: {error}")
    except BotoCoreError as error:
        return Unclear(f"RunTask did not answer: {error}")
    return _answered(answer)


def _answered(answer: RunTaskResponseTypeDef) -> Outcome:
    tasks, failures = answer.get("tasks", []), answer.get("failures", [])
    if tasks and tasks[0].get("taskArn"):
        return Launched(tasks[0]["taskArn"])
    if failures:
        return _failed("; ".join(map(_as_text, failures)), [failure.get("reason", "") for failure in failures])
    return Unclear("RunTask returned neither a task nor a failure")


def _failed(text: str, reasons: list[str]) -> Outcome:
    if all(_NO_CAPACITY.search(reason) for reason in reasons):
        return NoCapacity(text)
    if all(_NO_CAPACITY.search(reason) or _THROTTLED.search(reason) for reason in reasons):
        return Throttled(text)
    return Rejected(text)


def _as_text(failure: FailureTypeDef) -> str:
    reason, detail = failure.get("reason", "no reason given"), failure.get("detail")
    return f"{reason} ({detail})" if detail else reason


def _refused(error: ClientError) -> Outcome:
    details = error.response.get("Error", {})
    code, message = details.get("Code", "unknown"), details.get("Message", "")
    reason = f"{code}: {message}"
    # The same token with other parameters, for example after a change of network settings: the task exists anyway.
    existing: object = error.response.get("resourceIds")
    if code == "ConflictException":
        return Launched(str(existing[0])) if isinstance(existing, list) and existing else Unclear(reason)
    if code in THROTTLED:
        return Throttled(reason)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_ERROR)
    if status >= _SERVER_ERROR or code == "ServerException":
        return Unclear(reason)
    if _THROTTLED.search(message):
        return Throttled(reason)
    return NoCapacity(reason) if _NO_CAPACITY_ERROR.search(message) else Rejected(reason)
