# ruff: noqa: N803 -- the double takes AWS's own names
"""ECS with one cluster, whose tasks are what a test lets them be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.doubles.refusals import refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_ecs.type_defs import RunTaskRequestTypeDef

CLUSTER_ARN = "arn:aws:ecs:eu-west-1:123456789012:cluster/c"


def run_task(subnet: str = "subnet-1") -> RunTaskRequestTypeDef:
    """Return what the program writes of a RunTask request."""
    return {
        "cluster": CLUSTER_ARN,
        "taskDefinition": "report",
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": [subnet], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
        },
    }


STOPS: Mapping[str, tuple[str, str, str, int | None]] = {
    "spot": ("SpotInterruption", "Your Spot Task was interrupted.", "", 143),
    "image": ("TaskFailedToStart", "CannotPullContainerError: pull access denied", "", None),
    "network": ("TaskFailedToStart", "Timeout waiting for network interface provisioning to complete.", "", None),
    "health": ("InfrastructureHealth", "", "", None),
    "code": ("EssentialContainerExited", "Essential container in task exited", "", None),
    "capacity": ("TaskFailedToStart", "Capacity is unavailable at this time.", "", None),
    "host": ("TerminationNotice", "ECS is performing maintenance on the underlying infrastructure.", "", None),
    "memory": ("EssentialContainerExited", "Essential container in task exited", "OutOfMemoryError: killed", 137),
    "killed": ("EssentialContainerExited", "Essential container in task exited", "", 137),
    "cancelled": ("UserInitiated", "Task stopped by a person", "", 143),
    "deaf": ("UserInitiated", "Task stopped by a person", "", 137),
    "returned": ("EssentialContainerExited", "Essential container in task exited", "", 0),
    "duplicate": ("EssentialContainerExited", "Essential container in task exited", "", 2),
}
"""How a task may stop: stopCode, stoppedReason, the container's reason and exit code."""


def task_arn(number: int) -> str:
    """Return the ARN of the cluster's n-th task."""
    return f"{CLUSTER_ARN.replace(':cluster/', ':task/')}/{number:032x}"


def given(started: Mapping[str, object]) -> dict[str, str]:
    """Return the variables that the call gave a task; `started` is the call or the task."""
    overrides = json.loads(json.dumps(started["overrides"]))
    return {each["name"]: each["value"] for each in overrides["containerOverrides"][0]["environment"]}


class Cluster:
    """ECS as AWS documents it, with client tokens, which moto's lacks.

    A token with the same parameters names the task of the first call for as long as that is alive; with others it is a
    ConflictException that names the task. A call that ends in `failures` uses up no token. A stopped task is described
    until the test removes it from `tasks`.
    """

    service = "ecs"

    def __init__(self, arn: str = CLUSTER_ARN) -> None:
        self.arn = arn
        self.tasks: dict[str, dict[str, object]] = {}
        self.tokens: dict[str, str] = {}
        """The last task of each token."""
        self.requests: list[dict[str, object]] = []
        """The calls that started a task."""
        self.answers: list[Exception | list[dict[str, str]]] = []
        """What the next calls of RunTask meet instead: an error, or a list of failures."""
        self.most_alive = 0
        self.most_twins = 1
        """The most tasks of one attempt that were alive at once."""
        self.unknown: set[str] = set()
        """Tasks that go on, although ECS says that it does not know them."""
        self.described: list[list[str]] = []
        """The tasks of each call of DescribeTasks."""
        self.undescribed: dict[str, Exception | str] = {}
        """Tasks that are not described: an error is that of any call with one, a reason stands in `failures`."""
        self.account_settings: list[dict[str, str]] | Exception = []
        """The settings of the account, or why they cannot be read."""
        self.settings_requests: list[dict[str, object]] = []
        self._parameters: dict[str, dict[str, object]] = {}

    def run_task(self, *, cluster: str, clientToken: str, **request: object) -> dict[str, object]:
        """Start a task, or name the one that the token has."""
        assert cluster == self.arn
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return {"tasks": [], "failures": answer}
        arn = self.tokens.get(clientToken)
        if arn is None or self.tasks.get(arn, {"lastStatus": "STOPPED"})["lastStatus"] == "STOPPED":
            arn = self._start(clientToken, request)
        if self._parameters[arn] != request:
            raise refused("ConflictException", text="the token has other parameters", resourceIds=[arn])
        return {"tasks": [{"taskArn": arn}], "failures": []}

    def _start(self, token: str, request: dict[str, object]) -> str:
        arn = self.tokens[token] = task_arn(len(self.requests))
        self.requests.append({**request, "cluster": self.arn, "clientToken": token})
        self._parameters[arn] = request
        self.tasks[arn] = {
            "taskArn": arn,
            "lastStatus": "RUNNING",
            "overrides": request["overrides"],
            "containers": [{"name": "runner"}],
        }
        alive = [self.tasks[each] for each in self.alive()]
        twins = [task for task in alive if task["overrides"] == request["overrides"]]
        self.most_alive, self.most_twins = max(self.most_alive, len(alive)), max(self.most_twins, len(twins))
        return arn

    def describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, object]:
        """Describe tasks that are known; one name that is no task's is enough to refuse the call."""
        assert cluster == self.arn
        self.described.append(tasks)
        if any(len(arn.rpartition("/")[2]) not in {32, 36} for arn in tasks):
            text = "taskId length should be one of [32,36]"
            raise refused("InvalidParameterException", text=text, call="DescribeTasks")
        reasons = {arn: self.undescribed[arn] for arn in tasks if arn in self.undescribed}
        for reason in reasons.values():
            if isinstance(reason, Exception):
                raise reason
        for arn in tasks:
            if arn not in self.tasks or arn in self.unknown:
                reasons.setdefault(arn, "MISSING")
        return {
            "tasks": [self.tasks[arn] for arn in tasks if arn not in reasons],
            "failures": [{"arn": arn, "reason": reason} for arn, reason in reasons.items()],
        }

    def stop_task(self, *, cluster: str, task: str, reason: str) -> None:
        """End a task at once."""
        assert cluster == self.arn
        self.stop(task, "UserInitiated", reason, "", 137)

    def list_account_settings(self, **request: object) -> dict[str, object]:
        """Return settings of the account."""
        self.settings_requests.append(request)
        if isinstance(self.account_settings, Exception):
            raise self.account_settings
        return {"settings": self.account_settings}

    def alive(self) -> list[str]:
        """List the tasks that have not stopped, as far as ECS knows them."""
        return [arn for arn, task in self.tasks.items() if task["lastStatus"] != "STOPPED" and arn not in self.unknown]

    def stop(self, arn: str, code: str, reason: str, container_reason: str, exit_code: int | None) -> None:
        """Let a task have stopped."""
        container: dict[str, object] = {"name": "runner", "reason": container_reason}
        if exit_code is not None:
            container["exitCode"] = exit_code
        self.tasks[arn] |= {
            "lastStatus": "STOPPED",
            "stopCode": code,
            "stoppedReason": reason,
            "containers": [container],
        }
