"""Tasks that end on order, as Fargate ends them: for want of capacity, with its Spot capacity, or with their host."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local.emulator.faults import Faults
from local.emulator.patches import task_events
from local.emulator.patches.patching import Record, module, original, replace
from local.emulator.patches.run_task import begin_to_stop
from local.emulator.settings import FAULTS_VARIABLE

if TYPE_CHECKING:
    from local.emulator.faults import Stop

LOOK_SECONDS = 0.1


def end_tasks_before_they_start() -> None:
    """End a task in PROVISIONING where a rule says so, as when Fargate has no capacity.

    ECS developer guide, "Stopped task error codes": stop code TaskFailedToStart, and no exit code.
    """
    ecs = module("services.ecs")
    inner = original(ecs, "_mark_task_pending")
    faults = Faults(Path(os.environ[FAULTS_VARIABLE]))

    def mark(task_arn: str, task: Record) -> bool:
        fault = faults.take("fail_to_start", body=_text(task))
        if fault:
            how = fault["fail_to_start"]
            ecs._mark_task_stopped(task_arn, task, how["reason"], how["code"])  # noqa: SLF001
            return False
        marked: bool = inner(task_arn, task)
        return marked

    replace(ecs, "_mark_task_pending", mark)


def end_running_tasks() -> None:
    """End a running task where a rule says so: a Spot reclaim (SIGTERM, then SIGKILL), or a host that fails at once.

    ECS developer guide, "Amazon ECS clusters for Fargate", termination notices: the event says at once that the
    desired status is STOPPED, with stop code and reason.
    """
    faults = Faults(Path(os.environ[FAULTS_VARIABLE]))
    threading.Thread(target=_look_after_tasks, args=(faults,), daemon=True).start()


def _look_after_tasks(faults: Faults) -> None:
    ecs, responses = module("services.ecs"), module("core.responses")
    while True:
        time.sleep(LOOK_SECONDS)
        if not faults.has("stop"):
            continue
        for (account, region, _arn), task in ecs._tasks.all_items():  # noqa: SLF001
            if task["lastStatus"] != "RUNNING" or task["desiredStatus"] != "RUNNING":
                continue
            fault = faults.take("stop", body=_text(task))
            if fault:
                with responses.request_scope(account, region):
                    _end(task, fault["stop"])


def _end(task: Record, how: Stop) -> None:
    task["_exit_codes_lost"] = how.get("without_exit_code", False)
    if begin_to_stop(task, how["reason"], how["code"], kill=how.get("kill", False)):
        task_events.tell(task)


def _text(task: Record) -> str:
    return json.dumps(task, default=str)


PATCHES = (end_tasks_before_they_start, end_running_tasks)
