"""Decides what happens to a run whose task has stopped without recording an outcome. Pure.

| fault of | before the claim | after the claim |
|---|---|---|
| infrastructure, capacity | relaunched, and the attempt does not count | relaunched |
| the handler, nobody, the setup | likewise: it cannot have been the handler | `failed` |
| a person | `cancelled` | `cancelled` |

Before the claim, the handler cannot be the cause, so a relaunch is harmless: the run waits for up to 14 days, as it
does if RunTask itself reports that there is no capacity. If the cause is permanent (a missing role, image or log group;
a container that exits by itself each time), the run is parked after MOST_REFUSALS consecutive tasks, until an operator
fixes the cause and moves the record back.

After the claim, the run is relaunched up to `max_task_attempts`; then it is `failed`, with the last reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overtime.contract.limits import LONGEST_MESSAGE_LIFE_SECONDS
from overtime.contract.runs import RunState
from overtime.lambdas.watcher.stopped_task import Fault

if TYPE_CHECKING:
    from overtime.lambdas.watcher.stopped_task import Cause

_FIRST_DELAY, _LONGEST_DELAY = 15, 300
LONGEST_WAIT = LONGEST_MESSAGE_LIFE_SECONDS
"""Seconds that a run may wait for a task, in total."""


MOST_REFUSALS = 5
"""Consecutive tasks that may stop unclaimed for a permanent reason; several, because new roles take a minute in IAM."""


@dataclass(frozen=True)
class Relaunch:
    """The run returns to `queued` with its next task attempt."""

    reason: str
    unstarted: bool = False
    """Whether the task never claimed the run, so the attempt does not count."""
    refusals: int = 0
    """Consecutive tasks that could not start for a permanent reason; at MOST_REFUSALS the run is parked."""


@dataclass(frozen=True)
class Close:
    """The run ends."""

    state: RunState
    reason: str


def decide(  # noqa: PLR0913 -- all that the decision depends on
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

    `counted` is the number of its attempts that claimed it, plus this one; `refusals` that of consecutive previous
    tasks that could not start for a permanent reason; `waited` is the time since its wait began, in seconds.
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
    """Return the delay before the attempt after this one, in seconds; it doubles with each attempt up to 300."""
    return min(_LONGEST_DELAY, _FIRST_DELAY << min(attempt - 1, 10))
