"""What becomes of a run whose task has stopped without closing it. Pure.

| fault of | the run was not claimed | it was |
|---|---|---|
| infrastructure, capacity | launched again, and the attempt is not counted | launched again |
| the handler, nobody, the set-up | likewise: it cannot have been the handler | `failed` |
| a person | `cancelled` | `cancelled` |

Nothing before the claim can have been the handler, so trying again is free: the run waits on, up to 14 days, as it does
where RunTask itself says that there is no capacity. What is certain to last (a role, an image, a log group that is not
there; a container that ends by itself each time) is tried MOST_REFUSALS times in a row. Then the run is parked: a
person mends it and moves the record back.

What was claimed is launched again up to `max_task_attempts`; then `failed`, with the last reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overtime.contract.runs import RunState
from overtime.lambdas.watcher.stopped_task import Fault

if TYPE_CHECKING:
    from overtime.lambdas.watcher.stopped_task import Cause

_FIRST_DELAY, _LONGEST_DELAY = 15, 300
LONGEST_WAIT = 14 * 86_400
"""Seconds that a run waits for a task, in all."""


MOST_REFUSALS = 5
"""Tasks in a row that stop unclaimed for a reason that lasts. IAM may need a minute until a new role can be assumed."""


@dataclass(frozen=True)
class Relaunch:
    """The run goes back to the queue as its next task attempt."""

    reason: str
    unstarted: bool = False
    """Whether the task never claimed the run, so that the attempt does not count."""
    refusals: int = 0
    """Tasks in a row that could not start for a reason that lasts; with MOST_REFUSALS the run is to be parked."""


@dataclass(frozen=True)
class Close:
    """The run ends."""

    state: RunState
    reason: str


def decide(  # noqa: PLR0913 -- what the table asks for
    cause: Cause,
    *,
    state: RunState,
    counted: int,
    refusals: int,
    waited: float,
    most_attempts: int,
    can_relaunch: bool,
) -> Relaunch | Close:
    """Apply the table to a run in this state.

    `counted` are its attempts that claimed it, and this one; `refusals` the tasks in a row before this one that could
    not start for a reason that lasts; `waited` the seconds since it began to wait.
    """
    if cause.fault is Fault.PERSON:
        return Close(RunState.CANCELLED, cause.text)
    claimed = state not in {RunState.QUEUED, RunState.LAUNCHING}
    if claimed and cause.fault not in {Fault.INFRASTRUCTURE, Fault.CAPACITY}:
        return Close(RunState.FAILED, cause.text)
    if not can_relaunch:
        over = "Its function is no longer in the stack, so it was not relaunched"
    elif not claimed and waited > LONGEST_WAIT:
        over = "The run has waited for 14 days"
    elif claimed and counted >= most_attempts:
        over = f"That was task attempt {counted} of {most_attempts}"
    elif claimed:
        return Relaunch(cause.text)
    else:
        return Relaunch(cause.text, unstarted=True, refusals=refusals + 1 if cause.lasting else 0)
    return Close(RunState.FAILED, f"{cause.text}. {over}")


def backoff(attempt: int) -> int:
    """Say how long an attempt's successor waits, in seconds: longer each time."""
    return min(_LONGEST_DELAY, _FIRST_DELAY << min(attempt - 1, 10))
