"""The cluster's tasks, as far as the watcher looks at them or ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_ecs import ECSClient

_AT_ONCE = 100


class ClusterUnavailableError(OvertimeError):
    """ECS refused or did not answer; asking again is safe."""


class Tasks:
    """One cluster. Every method raises ClusterUnavailableError."""

    def __init__(self, ecs: ECSClient, cluster_arn: str) -> None:
        self._ecs, self._cluster_arn = ecs, cluster_arn

    def describe(self, arns: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """Read tasks by ARN; those that ECS no longer knows are not in the answer."""
        found: dict[str, Mapping[str, object]] = {}
        for start in range(0, len(arns), _AT_ONCE):
            try:
                answer = self._ecs.describe_tasks(cluster=self._cluster_arn, tasks=list(arns[start : start + _AT_ONCE]))
            except (ClientError, BotoCoreError) as error:
                raise self._unavailable("describe its tasks", error) from error
            unclear = [each for each in answer.get("failures", []) if each.get("reason") != "MISSING"]
            if unclear:
                raise self._unavailable("describe its tasks", ClusterUnavailableError(str(unclear[0].get("reason"))))
            found.update({str(task.get("taskArn")): {**task} for task in answer["tasks"]})
        return found

    def stop(self, arn: str, reason: str) -> None:
        """Ask a task to end."""
        try:
            self._ecs.stop_task(cluster=self._cluster_arn, task=arn, reason=reason)
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(f"stop {arn}", error) from error

    def _unavailable(self, what: str, error: Exception) -> ClusterUnavailableError:
        return ClusterUnavailableError(
            f"the cluster {self._cluster_arn!r} could not {what}: {error}. The watcher asks again with the next event "
            "or the next time it reconciles; check the role's permissions if it lasts."
        )
