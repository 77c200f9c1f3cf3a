"""The cluster's tasks: describes and stops them.

A run's item may name any task, because the function's role writes that attribute. So the watcher only asks about tasks
of its own cluster, and regards a task as a run's only if RunTask started it for this run and attempt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.errors import OvertimeError
from overtime.lambdas.watcher.stopped_task import started_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_ecs import ECSClient

    from overtime.contract.runs import RunKey

_AT_ONCE = 100
_TASK_ARN = re.compile(r"arn:[\w-]+:ecs:[\w-]+:\d+:task/(?:[\w-]+/)?(?:[\w-]{32}|[\w-]{36})")
"""DescribeTasks rejects anything else: "taskId length should be one of [32,36]"."""
_MALFORMED = "InvalidParameterException"


class ClusterUnavailableError(OvertimeError):
    """A call to ECS failed; retrying is safe."""


@dataclass(frozen=True)
class Described:
    """ECS's descriptions of tasks."""

    known: dict[str, Mapping[str, object]] = field(default_factory=dict)
    """By ARN, without those that ECS no longer knows."""
    untold: dict[str, ClusterUnavailableError] = field(default_factory=dict)
    """The errors by ARN, for tasks that ECS did not describe."""

    def task(self, arn: str) -> Mapping[str, object] | None:
        """Return a task, or None if ECS does not know it. Raise ClusterUnavailableError if ECS did not describe it."""
        if arn in self.untold:
            raise self.untold[arn]
        return self.known.get(arn)

    def task_of(self, key: RunKey, attempt: int, arn: str) -> Mapping[str, object] | None:
        """Return a task like `task`, but only if it was started for this run and attempt."""
        task = self.task(arn)
        return task if task is not None and started_for(task) == (key, attempt) else None


def is_task_arn(text: str) -> bool:
    """Return whether a text has the form of a task's ARN, which ECS can describe."""
    return _TASK_ARN.fullmatch(text) is not None


class Tasks:
    """One cluster."""

    def __init__(self, ecs: ECSClient, cluster_arn: str) -> None:
        self._ecs, self._cluster_arn = ecs, cluster_arn
        before, _, name = cluster_arn.partition(":cluster/")
        self._tasks = f"{before}:task/", f"{before}:task/{name}/"

    def describe(self, arns: Sequence[str]) -> Described:
        """Describe tasks. ARNs that are not of this cluster's tasks are not sent to ECS, so they are unknown."""
        found, wanted = Described(), [arn for arn in arns if self._is_ours(arn)]
        for start in range(0, len(wanted), _AT_ONCE):
            self._describe(wanted[start : start + _AT_ONCE], found)
        return found

    def stop(self, task: Mapping[str, object], key: RunKey, attempt: int, reason: str) -> None:
        """Stop a task from DescribeTasks, if it was started for this run and attempt.

        Raise ClusterUnavailableError.
        """
        arn = str(task.get("taskArn"))
        if not self._is_ours(arn) or started_for(task) != (key, attempt):
            return
        try:
            self._ecs.stop_task(cluster=self._cluster_arn, task=arn, reason=reason)
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(f"stop {arn}", error) from error

    def _is_ours(self, arn: str) -> bool:
        # Old ARNs do not name the cluster; the call does, so ECS only knows those of this cluster.
        return is_task_arn(arn) and arn.rpartition("/")[0] + "/" in self._tasks

    def _describe(self, arns: Sequence[str], found: Described) -> None:
        try:
            answer = self._ecs.describe_tasks(cluster=self._cluster_arn, tasks=list(arns))
        except (ClientError, BotoCoreError) as error:
            if len(arns) > 1 and _is_malformed(error):
                # ECS rejects the whole call because of one malformed ARN, and does not name it.
                self._describe(arns[: len(arns) // 2], found)
                self._describe(arns[len(arns) // 2 :], found)
            else:
                found.untold.update(dict.fromkeys(arns, self._unavailable("describe its tasks", error)))
            return
        for failure in answer.get("failures", []):
            if failure.get("reason") != "MISSING":
                arn = str(failure.get("arn"))
                found.untold[arn] = self._unavailable(f"describe {arn}", failure.get("reason"))
        found.known.update({str(task.get("taskArn")): {**task} for task in answer["tasks"]})

    def _unavailable(self, what: str, why: object) -> ClusterUnavailableError:
        return ClusterUnavailableError(
            f"the cluster {self._cluster_arn!r} could not {what}: {why}. The watcher retries at the next event or in "
            "the next round; if this persists, check the role's permissions."
        )


def _is_malformed(error: ClientError | BotoCoreError) -> bool:
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") == _MALFORMED
