"""One RunTask call: planned as a value, sent once, and its answer read into a value.

The client token makes the call idempotent: a second call with the same token names the task of the first. ECS keeps a
token for 24 hours, or less where its task has stopped (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html),
while a failure record lives for 14 days. So the token alone does not keep a run from having two tasks; the ledger does.
A run that already names its task is never launched again. One that does not, because the dispatcher died before it
wrote the answer down, is launched once more with the same token, whatever its age: either ECS still knows the token,
or a second task starts. By then the first has stopped, or loses the race for the claim: only one task can claim an
attempt, and the other exits with 2 before it touches the handler. Waiting instead would lose runs whose first call
never reached ECS, and searching for the task cannot tell them apart, because ECS forgets stopped tasks within the hour.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from overtime.contract import variables
from overtime.contract.aws_errors import THROTTLED
from overtime.contract.capacity import Capacity

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import FailureTypeDef, RunTaskRequestTypeDef, RunTaskResponseTypeDef

    from overtime.contract.runs import RunKey
    from overtime.lambdas.dispatcher.config import Config

STARTED_BY = "overtime"

_FULL = r"Capacity is unavailable|reached the limit on the number of .+ concurrently"
"""Fargate has no capacity, or the account's quota is used up: "You've reached the limit on the number of vCPUs you can
run concurrently" (older accounts: of tasks). Both pass when tasks end."""
_NO_CAPACITY = re.compile(rf"^RESOURCE|capacity|{_FULL}", re.IGNORECASE)
"""Of `failures`; other reasons, such as MISSING, wait for a person."""
_NO_CAPACITY_ERROR = re.compile(_FULL, re.IGNORECASE)
"""Of an error, whose text may also name a capacity provider that is not there."""
_THROTTLED = re.compile(r"RequestLimitExceeded|Rate exceeded|Error ?Code: InternalError", re.IGNORECASE)
"""ECS asks EC2 about subnets and security groups, and tells what EC2 refuses as an InvalidParameterException: "Error
retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode: RequestLimitExceeded)"."""
_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class LaunchPlan:
    """Everything of one RunTask call. The same run and attempt always give the same request."""

    key: RunKey
    attempt: int
    cluster_arn: str
    task_family: str
    container_name: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    assign_public_ip: Literal["ENABLED", "DISABLED"]
    spot: bool = False

    @property
    def client_token(self) -> str:
        """64 characters that only this run's attempt has, and another for Spot: its parameters differ."""
        capacity = "#spot" if self.spot else ""
        return hashlib.sha256(f"{self.key}#{self.attempt}{capacity}".encode()).hexdigest()

    def request(self) -> RunTaskRequestTypeDef:
        """Write the request; its overrides name the run and nothing else, because ECS shows them in events and logs."""
        request: RunTaskRequestTypeDef = {
            "cluster": self.cluster_arn,
            "taskDefinition": self.task_family,
            "count": 1,
            "clientToken": self.client_token,
            "startedBy": STARTED_BY,
            "propagateTags": "TASK_DEFINITION",
            "enableECSManagedTags": True,
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": list(self.subnet_ids),
                    "securityGroups": list(self.security_group_ids),
                    "assignPublicIp": self.assign_public_ip,
                }
            },
            "overrides": {
                "containerOverrides": [
                    {
                        "name": self.container_name,
                        "environment": [
                            {"name": variables.RUN_KEY, "value": str(self.key)},
                            {"name": variables.TASK_ATTEMPT, "value": str(self.attempt)},
                        ],
                    }
                ]
            },
        }
        if self.spot:
            request["capacityProviderStrategy"] = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
        else:
            request["launchType"] = "FARGATE"
        return request


@dataclass(frozen=True)
class Launched:
    """The attempt has this task, started now or by an earlier call with the same token."""

    task_arn: str


@dataclass(frozen=True)
class NoCapacity:
    """Nothing started: Fargate has no capacity for the task, or the account's quota of it is used up."""

    reason: str


@dataclass(frozen=True)
class Throttled:
    """Nothing started: ECS, or EC2 behind it, took too many calls, also after the client's own few retries."""

    reason: str


@dataclass(frozen=True)
class Rejected:
    """Nothing started, and a person is needed: a missing permission, no such cluster, family or subnet."""

    reason: str


@dataclass(frozen=True)
class Unclear:
    """No answer, or one that does not say: a task may have started."""

    reason: str


Outcome = Launched | NoCapacity | Throttled | Rejected | Unclear


def plan(config: Config, key: RunKey, attempt: int, *, on_demand: bool = False) -> LaunchPlan:
    """Plan the launch of one attempt of a run.

    Spot is for the first attempt only: a run whose task was taken away once goes on where none is. `on_demand` is for
    an attempt that Spot had no capacity for; the ledger remembers it, so that a repeated call stays the same.
    """
    return LaunchPlan(
        key=key,
        attempt=attempt,
        cluster_arn=config.cluster_arn,
        task_family=config.task_family,
        container_name=config.container_name,
        subnet_ids=config.subnet_ids,
        security_group_ids=config.security_group_ids,
        assign_public_ip=config.assign_public_ip,
        spot=config.capacity is Capacity.SPOT and attempt == 1 and not on_demand,
    )


def launch(ecs: ECSClient, planned: LaunchPlan) -> Outcome:
    """Call RunTask once (the client retries the call itself, with the same token) and say what came of it."""
    try:
        answer = ecs.run_task(**planned.request())
    except ClientError as error:
        return _refused(error)
    except BotoCoreError as error:
        return Unclear(f"RunTask gave no answer: {error}")
    return _answered(answer)


def _answered(answer: RunTaskResponseTypeDef) -> Outcome:
    tasks, failures = answer.get("tasks", []), answer.get("failures", [])
    if tasks and tasks[0].get("taskArn"):
        return Launched(tasks[0]["taskArn"])
    if failures:
        return _failed("; ".join(map(_as_text, failures)), [failure.get("reason", "") for failure in failures])
    return Unclear("RunTask named neither a task nor a failure")


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
    # The same token with other parameters, say after the network's settings changed: the task is there all the same.
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
