"""`ECS Task State Change`: every change of a task, told to EventBridge.

ECS developer guide, "Amazon ECS task state change events" and "Task lifecycle".
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from local.emulator.patches.patching import Answer, Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DETAIL_TYPE = "ECS Task State Change"
NOT_TOLD = ("tags", "healthStatus")
"""In DescribeTasks, not in events."""
_NOT_ON_FARGATE = "containerInstanceArn"
_EMPTY = (None, "")
log = logging.getLogger("overtime.events")


def detail_of(task: Mapping[str, object], *, now: str) -> Record:
    """Give the event's detail: the task as DescribeTasks has it, but without what is empty or only told there."""
    left_out = {*NOT_TOLD, *([_NOT_ON_FARGATE] if task.get("launchType") == "FARGATE" else [])}
    detail: Record = {
        name: value
        for name, value in task.items()
        if value not in _EMPTY and name not in left_out and not name.startswith("_")
    }
    containers = detail.get("containers", [])
    detail["containers"] = [
        {name: value for name, value in container.items() if value not in _EMPTY and name not in NOT_TOLD}
        for container in containers
    ]
    return {**detail, "updatedAt": now}


def stopping(stopped: Record, *, last_status: str, changed_stop: bool) -> list[Record]:
    """Give the states of a stopped task that came before: its desired status changed, its containers were taken down.

    `changed_stop` says whether the first was told already, when the stop was asked for.
    """
    before = {name: value for name, value in stopped.items() if name != "stoppedAt"}
    version = stopped["version"]
    asked = {**before, "lastStatus": last_status, "version": version - 2}
    deprovisioning = {**before, "lastStatus": "DEPROVISIONING", "version": version - 1}
    return [deprovisioning] if changed_stop else [asked, deprovisioning]


def tell_when_tasks_start() -> None:
    """Send the event at PROVISIONING, PENDING and RUNNING; ACTIVATING has none, as its version does not count it."""
    ecs = module("services.ecs")
    pending, running = original(ecs, "_mark_task_pending"), original(ecs, "_mark_task_running")

    def telling(mark: Callable[[str, Record], bool]) -> Callable[[str, Record], bool]:
        def marked(task_arn: str, task: Record) -> bool:
            changed = mark(task_arn, task)
            if changed:
                tell(task)
            return changed

        return marked

    def first_pending(task_arn: str, task: Record) -> bool:
        tell(task)
        return telling(pending)(task_arn, task)

    replace(ecs, "_mark_task_pending", first_pending)
    replace(ecs, "_mark_task_running", telling(running))


def tell_when_tasks_stop() -> None:
    """Send the event when the stop is decided, at DEPROVISIONING and at STOPPED.

    A container that was never made has no exit code, whoever stopped its task.
    """
    ecs = module("services.ecs")
    inner = original(ecs, "_mark_task_stopped")

    def mark(task_arn: str, task: Record, reason: str, code: str, exit_code: int | None = None) -> bool:
        last_status, changed_stop = task["lastStatus"], "_stopped_by" in task
        if not task.get("_docker_ids") or task.get("_exit_codes_lost"):
            exit_code = None
        if task.get("_exit_codes_lost"):
            for container in task["containers"]:
                container["exitCode"] = None
        marked: bool = inner(task_arn, task, reason, code, exit_code=exit_code)
        if marked:
            stopped = _snapshot(task)
            for state in (*stopping(stopped, last_status=last_status, changed_stop=changed_stop), stopped):
                _send(state)
        return marked

    replace(ecs, "_mark_task_stopped", mark)


def tell_when_stops_are_asked_for() -> None:
    """Send the event as soon as StopTask has changed the desired status: the containers may take a while to end."""
    ecs = module("services.ecs")
    inner = original(ecs, "_stop_task")

    def stop(data: Record) -> Answer:
        cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))  # noqa: SLF001
        task = ecs._resolve_task(data.get("task", ""), cluster)  # noqa: SLF001
        before = task and task.get("_stopped_by")
        answer: Answer = inner(data)
        if task and not before and task.get("_stopped_by"):
            tell(task)
        return answer

    replace(ecs, "_stop_task", stop)
    ecs._ACTION_MAP["StopTask"] = stop  # noqa: SLF001


def tell(task: Record) -> None:
    """Send the event of a task's present state."""
    _send(_snapshot(task))


def _snapshot(task: Record) -> Record:
    ecs = module("services.ecs")
    with ecs.resource_lock("ecs-task", task["taskArn"]):
        copied: Record = json.loads(json.dumps(ecs._sanitize(task)))  # noqa: SLF001
    return copied


def _send(task: Record) -> None:
    ecs, events = module("services.ecs"), module("services.eventbridge")
    entry = {
        "Source": "aws.ecs",
        "DetailType": DETAIL_TYPE,
        "Resources": [task["taskArn"]],
        "Detail": json.dumps(detail_of(task, now=ecs._iso())),  # noqa: SLF001
    }
    try:
        events._put_events({"Entries": [entry]}, allow_aws_source=True)  # noqa: SLF001
    except Exception:
        # The task goes on whatever becomes of its events.
        log.exception("the event of task %s at %s is lost", task["taskArn"], task["lastStatus"])


PATCHES = (tell_when_tasks_start, tell_when_tasks_stop, tell_when_stops_are_asked_for)
