"""What ECS refuses of calls about tasks and clusters that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.emulator.patches.patching import Answer, Record, module, original, replace
from local.emulator.patches.run_task import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_TASKS = 100
TASK_ID_LENGTHS = (32, 36)
INVALID = "InvalidParameterException"


def refuse_malformed_task_ids() -> None:
    """Refuse DescribeTasks and StopTask as a whole for one task id that cannot be any, whatever the others are.

    InvalidParameterException, "taskId length should be one of [32,36]". DescribeTasks takes 1 to 100 tasks (API
    reference, `tasks`). An id of the right form that nobody has is a failure with reason MISSING, as ministack says.
    """

    def described(data: Record, go_on: Callable[[Record], Answer]) -> Answer:
        refused = wrong_tasks(data.get("tasks") or [])
        return refusal(INVALID, refused) if refused else go_on(data)

    def stopped(data: Record, go_on: Callable[[Record], Answer]) -> Answer:
        refused = wrong_task(str(data.get("task") or ""))
        return refusal(INVALID, refused) if refused else go_on(data)

    _wrap("DescribeTasks", "_describe_tasks", described)
    _wrap("StopTask", "_stop_task", stopped)


def keep_a_cluster_that_has_tasks() -> None:
    """Refuse DeleteCluster while a task of the cluster is not STOPPED (API reference, DeleteCluster, Errors)."""

    def deleted(data: Record, go_on: Callable[[Record], Answer]) -> Answer:
        ecs = module("services.ecs")
        cluster = ecs._clusters.get(ecs._resolve_cluster_name(data.get("cluster", "default"))) or {}  # noqa: SLF001
        tasks = list(ecs._tasks.values())  # noqa: SLF001
        if any(each["clusterArn"] == cluster.get("clusterArn") and each["lastStatus"] != "STOPPED" for each in tasks):
            text = "The Cluster cannot be deleted while Tasks are active."
            return refusal("ClusterContainsTasksException", text)
        return go_on(data)

    _wrap("DeleteCluster", "_delete_cluster", deleted)


def wrong_tasks(tasks: Iterable[str]) -> str:
    """Say in ECS's words why these tasks cannot be described; empty when they can."""
    named = list(tasks)
    if not named:
        return "Tasks cannot be empty."
    if len(named) > MOST_TASKS:
        return f"taskIds can have at most {MOST_TASKS} items."
    return next(filter(None, map(wrong_task, named)), "")


def wrong_task(task: str) -> str:
    """Say in ECS's words why this can be no task's id or ARN; empty when it can."""
    length = len(task.rpartition("/")[2])
    shown = ",".join(map(str, TASK_ID_LENGTHS))
    return "" if length in TASK_ID_LENGTHS else f"taskId length should be one of [{shown}]"


def _wrap(action: str, name: str, wrapper: Callable[[Record, Callable[[Record], Answer]], Answer]) -> None:
    ecs = module("services.ecs")
    inner = original(ecs, name)

    def call(data: Record) -> Answer:
        return wrapper(data, inner)

    replace(ecs, name, call)
    ecs._ACTION_MAP[action] = call  # noqa: SLF001


PATCHES = (refuse_malformed_task_ids, keep_a_cluster_that_has_tasks)
