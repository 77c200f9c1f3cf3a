"""The cluster's tasks, as far as the watcher looks at them or ends them.

A run's item may name any task, because its function's role writes that attribute. So only tasks of the own cluster are
asked about, and one is a run's own only where RunTask started it for this run and attempt.
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
"""DescribeTasks says of anything else: "taskId length should be one of [32,36]"."""
_MALFORMED = "InvalidParameterException"


class ClusterUnavailableError(OvertimeError):
    """ECS refused or did not answer; asking again is safe."""


@dataclass(frozen=True)
class Described:
    """What ECS told of tasks."""

    known: dict[str, Mapping[str, object]] = field(default_factory=dict)
    """By ARN; those that ECS no longer knows are not here."""
    untold: dict[str, ClusterUnavailableError] = field(default_factory=dict)
    """Those of which it told nothing, by ARN, and why."""

    def task(self, arn: str) -> Mapping[str, object] | None:
        """Give a task, or None where ECS does not know it; raises ClusterUnavailableError where it told nothing."""
        if arn in self.untold:
            raise self.untold[arn]
        return self.known.get(arn)

    def task_of(self, key: RunKey, attempt: int, arn: str) -> Mapping[str, object] | None:
        """Give a run's own task as `task` does; one that was started for anything else is not known as its."""
        task = self.task(arn)
        return task if task is not None and started_for(task) == (key, attempt) else None


def is_task_arn(text: str) -> bool:
    """Tell whether ECS can be asked about a task by this name at all."""
    return _TASK_ARN.fullmatch(text) is not None


class Tasks:
    """One cluster."""

    def __init__(self, ecs: ECSClient, cluster_arn: str) -> None:
        self._ecs, self._cluster_arn = ecs, cluster_arn
        before, _, name = cluster_arn.partition(":cluster/")
        self._tasks = f"{before}:task/", f"{before}:task/{name}/"

    def describe(self, arns: Sequence[str]) -> Described:
        """Ask about tasks. What is not the ARN of a task of this cluster is not asked about, and so not known."""
        found, wanted = Described(), [arn for arn in arns if self._is_ours(arn)]
        for start in range(0, len(wanted), _AT_ONCE):
            self._describe(wanted[start : start + _AT_ONCE], found)
        return found

    def stop(self, task: Mapping[str, object], key: RunKey, attempt: int, reason: str) -> None:
        """Ask a task to end, as DescribeTasks told of it, if this run's attempt is what it was started for.

        Raises ClusterUnavailableError.
        """
        arn = str(task.get("taskArn"))
        if not self._is_ours(arn) or started_for(task) != (key, attempt):
            return
        try:
            self._ecs.stop_task(cluster=self._cluster_arn, task=arn, reason=reason)
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(f"stop {arn}", error) from error

    def _is_ours(self, arn: str) -> bool:
        # Old ARNs do not name the cluster, and ECS knows those of this cluster only, for it is asked with its name.
        return is_task_arn(arn) and arn.rpartition("/")[0] + "/" in self._tasks

    def _describe(self, arns: Sequence[str], found: Described) -> None:
        try:
            answer = self._ecs.describe_tasks(cluster=self._cluster_arn, tasks=list(arns))
        except (ClientError, BotoCoreError) as error:
            if len(arns) > 1 and _is_malformed(error):
                # ECS refuses them all for one that it cannot read, and does not say which.
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
            f"the cluster {self._cluster_arn!r} could not {what}: {why}. The watcher asks again with the next event "
            "or the next time it reconciles; check the role's permissions if it lasts."
        )


def _is_malformed(error: ClientError | BotoCoreError) -> bool:
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") == _MALFORMED
