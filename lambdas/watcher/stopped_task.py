"""A stopped task as ECS reports it, and why it stopped. Pure.

| ECS reports | cause | fault of |
|---|---|---|
| `SpotInterruption`; "Your Spot Task was interrupted." | Spot reclaimed the host | infrastructure |
| `UserInitiated`, NEVER_CLAIMED | the watcher stopped it: it never claimed its run | infrastructure, permanent |
| `UserInitiated`, RUN_ENDED | the watcher stopped it: its run had ended | nobody |
| `UserInitiated`, exit code 137 | cancelled, and killed at the end of the stop timeout | a person |
| `UserInitiated` | cancelled | a person |
| `OutOfMemoryError` of the container | out of memory | the handler |
| "Capacity is unavailable …", `RESOURCE:…`, "You've reached the limit …" | no capacity | capacity |
| `CannotPull…Error` | the image could not be pulled | infrastructure |
| `TerminationNotice`, `InfrastructureHealth`, `ServiceSchedulerInitiated` | host failure | infrastructure |
| host terminated, maintenance, a retired revision | host failure | infrastructure |
| `TaskFailedToStart` or `ResourceInitializationError` otherwise | did not start | infrastructure |
| a stop code that is not in StopCode | AWS stopped it | infrastructure |
| no exit code | the container did not exit by itself, because it would have one | infrastructure |
| exit code 67 | the runner could not reach AWS | infrastructure |
| exit code 2 | the run was claimed by another task, or had ended | nobody |
| exit code 64, 65, 66, 70 | the runner could not work, for a permanent reason | the setup |
| exit code 137 | killed | the handler |
| any other exit code | exited without an outcome | the handler |

Before the claim, the handler has not run, whatever the table says; `lasting` then marks a permanent cause, which needs
an operator. That is any container that exits by itself, and otherwise what `stop_reasons` decides.

ECS's words: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from overtime.contract import error_types, variables
from overtime.contract.error_types import PlatformError
from overtime.contract.exit_codes import ERROR_TYPES, ExitCode
from overtime.contract.runs import InvalidRunKeyError, RunKey
from overtime.lambdas.watcher.stop_reasons import lasts

NEVER_CLAIMED = "overtime: it did not claim its run within an hour"
RUN_ENDED = "overtime: its run has ended"
"""The watcher's own reasons for StopTask."""
_LOST = "Lost"
_SIGKILL = 137
_SET_UP: dict[int, str] = {
    ExitCode.BAD_ENVIRONMENT: "the task's environment is incomplete",
    ExitCode.CODE: "the function's code could not be fetched, verified or unpacked",
    ExitCode.PERMISSION_MISSING: "the task's role lacks a permission",
    ExitCode.INTERNAL: "a bug in the runner",
}
_HOST_WORDS = ("host ec2", "underlying infrastructure", "host terminated", "retire", "maintenance", "fargate platform")
_NO_CAPACITY = re.compile(r"[Cc]apacity is unavailable|reached the limit on the number of|\bRESOURCE:[A-Z]")
"""Case matters: RESOURCE:MEMORY is one, but not IAM's "not authorized to perform: … on resource: arn:…"."""


class StopCode(StrEnum):
    """All of ECS's stop codes; a test fails if botocore has another, which the table above must then include."""

    TASK_FAILED_TO_START = "TaskFailedToStart"
    ESSENTIAL_CONTAINER_EXITED = "EssentialContainerExited"
    USER_INITIATED = "UserInitiated"
    SERVICE_SCHEDULER_INITIATED = "ServiceSchedulerInitiated"
    SPOT_INTERRUPTION = "SpotInterruption"
    TERMINATION_NOTICE = "TerminationNotice"
    INFRASTRUCTURE_HEALTH = "InfrastructureHealth"


_BY_AWS = frozenset({StopCode.TERMINATION_NOTICE, StopCode.SERVICE_SCHEDULER_INITIATED, StopCode.INFRASTRUCTURE_HEALTH})
_ENDS_WITH_CODE = frozenset({None, StopCode.ESSENTIAL_CONTAINER_EXITED, StopCode.USER_INITIATED})


class Fault(StrEnum):
    """What caused a task to stop, which decides what happens to its run."""

    INFRASTRUCTURE = "infrastructure"
    CAPACITY = "capacity"
    HANDLER = "handler"
    SETUP = "setup"
    PERSON = "person"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Cause:
    """Why a task stopped."""

    fault: Fault
    error_type: str
    """Like Lambda's error types, for records and the ledger."""
    text: str
    lasting: bool = False
    """Whether the cause is permanent, so that another task would stop in the same way. Only used before the claim."""


@dataclass(frozen=True, kw_only=True)
class StoppedTask:
    """A stopped task, from an event or DescribeTasks."""

    arn: str
    key: RunKey
    attempt: int
    stop_code: str | None
    reason: str
    container_reason: str
    exit_code: int | None

    @property
    def is_lost(self) -> bool:
        """Whether ECS has forgotten it, so it is unknown who stopped it."""
        return self.stop_code == _LOST

    @property
    def lacks_exit_code(self) -> bool:
        """Whether DescribeTasks may return an exit code that the event lacks."""
        return self.exit_code is None and self.stop_code in _ENDS_WITH_CODE


def read(task: Mapping[str, object]) -> StoppedTask | None:
    """Read an event's `detail` or a task of DescribeTasks; return None if it has not stopped or is not a run's."""
    arn = _text(task, "taskArn")
    if _text(task, "lastStatus") != "STOPPED" or not arn:
        return None
    about = started_for(task)
    if about is None:
        return None
    (key, attempt), (name, _) = about, _override(task)
    container: Mapping[str, object] = next((each for each in _list(task, "containers") if each.get("name") == name), {})
    code = container.get("exitCode")
    return StoppedTask(
        arn=arn,
        key=key,
        attempt=attempt,
        stop_code=_text(task, "stopCode") or None,
        reason=_text(task, "stoppedReason"),
        container_reason=_text(container, "reason"),
        exit_code=int(code) if isinstance(code, int | float) else None,
    )


def started_for(task: Mapping[str, object]) -> tuple[RunKey, int] | None:
    """Return the run and attempt in a task's overrides, which cannot be changed; None if it is not a run's task."""
    _, environment = _override(task)
    try:
        return RunKey.parse(environment[variables.RUN_KEY]), int(environment[variables.TASK_ATTEMPT])
    except (KeyError, ValueError, InvalidRunKeyError):
        return None


def lost(arn: str, key: RunKey, attempt: int) -> StoppedTask:
    """Return a substitute for a task that ECS has forgotten, which happens about an hour after it stopped."""
    reason = "ECS no longer knows the task, so the reason for its stop is unknown"
    return StoppedTask(
        arn=arn, key=key, attempt=attempt, stop_code=_LOST, reason=reason, container_reason="", exit_code=None
    )


def classify(task: StoppedTask) -> Cause:
    """Return why a task stopped; see the table."""
    said = f"{task.reason} {task.container_reason}".strip()
    words = said.lower()
    if task.stop_code == StopCode.SPOT_INTERRUPTION or "spot task was interrupted" in words:
        return Cause(Fault.INFRASTRUCTURE, PlatformError.SPOT_INTERRUPTION, f"Spot reclaimed the host: {said}")
    if task.is_lost:
        return Cause(Fault.INFRASTRUCTURE, PlatformError.TASK_LOST, said)
    if task.stop_code == StopCode.USER_INITIATED:  # before all that match words, because a person may write any reason
        return _by_request(task, said)
    if "outofmemory" in words:
        return Cause(Fault.HANDLER, error_types.OUT_OF_MEMORY, f"the task ran out of memory: {said}", lasting=True)
    if _NO_CAPACITY.search(said):
        return Cause(Fault.CAPACITY, PlatformError.NO_CAPACITY, f"ECS has no capacity for the task: {said}")
    return _by_aws(task, said) or _by_exit_code(task.exit_code, said)


def _by_aws(task: StoppedTask, said: str) -> Cause | None:
    """Return why AWS stopped the task, or None if its container exited by itself."""
    words = said.lower()
    if "cannotpull" in words:
        return _infrastructure(PlatformError.IMAGE_PULL, "the runner image could not be pulled", said)
    if task.stop_code in _BY_AWS or any(each in words for each in _HOST_WORDS):
        return Cause(Fault.INFRASTRUCTURE, PlatformError.HOST_FAILURE, f"AWS removed the task's host: {said}")
    if task.stop_code == StopCode.TASK_FAILED_TO_START or "resourceinitializationerror" in words:
        return _infrastructure(PlatformError.TASK_FAILED_TO_START, "the task did not start", said)
    if task.stop_code is not None and task.stop_code not in set(StopCode):
        return _infrastructure(PlatformError.HOST_FAILURE, f"AWS stopped the task ({task.stop_code})", said)
    if task.exit_code is None:
        return _infrastructure(
            PlatformError.NO_EXIT_CODE, "the container has no exit code, so it did not exit by itself", said
        )
    return None


def _infrastructure(error_type: str, what: str, said: str) -> Cause:
    return Cause(Fault.INFRASTRUCTURE, error_type, f"{what}: {said or 'ECS gives no reason'}", lasting=lasts(said))


def _by_request(task: StoppedTask, said: str) -> Cause:
    if task.reason.startswith(NEVER_CLAIMED):
        return Cause(Fault.INFRASTRUCTURE, PlatformError.NEVER_CLAIMED, said, lasting=True)
    if task.reason.startswith(RUN_ENDED):
        return Cause(Fault.NOBODY, PlatformError.RUN_ENDED, said)
    late = " and killed, because it did not exit within the stop timeout" if task.exit_code == _SIGKILL else ""
    return Cause(Fault.PERSON, PlatformError.CANCELLED, f"the task was stopped{late}: {said}")


def _by_exit_code(code: int | None, said: str) -> Cause:
    told = f" ({said})" if said else ""
    if code == ExitCode.NOT_OURS:
        return Cause(Fault.NOBODY, ERROR_TYPES[code], f"the run was already claimed or had ended{told}", lasting=True)
    if code in _SET_UP:
        text = f"exit code {code}, {_SET_UP[code]}; see the task's log"
        return Cause(Fault.SETUP, ERROR_TYPES[code], text + told, lasting=True)
    if code == ExitCode.UNAVAILABLE:
        text = f"exit code {code}, the runner could not reach AWS despite retries; the task's log names the call"
        return Cause(Fault.INFRASTRUCTURE, ERROR_TYPES[code], text + told)
    how = "Runtime exited with error: signal: killed"
    if code != _SIGKILL:
        how = f"the container ended with exit status {code} without recording an outcome"
    return Cause(Fault.HANDLER, error_types.EXIT_ERROR, how + told, lasting=True)


def _override(task: Mapping[str, object]) -> tuple[object, Mapping[str, str]]:
    overrides = task.get("overrides")
    for each in _list(overrides if isinstance(overrides, Mapping) else {}, "containerOverrides"):
        environment = {_text(pair, "name"): _text(pair, "value") for pair in _list(each, "environment")}
        if variables.RUN_KEY in environment:
            return each.get("name"), environment
    return None, {}


def _list(value: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = value.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _text(value: Mapping[str, object], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
