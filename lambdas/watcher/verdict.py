"""What becomes of a run whose task has stopped without closing it. Pure.

| fault of | the handler had not started | it had |
|---|---|---|
| infrastructure | relaunched | relaunched |
| capacity | relaunched, and the attempt is not counted | relaunched |
| the handler, nobody | relaunched: it cannot have been the handler | `failed` |
| the set-up | `failed` | `failed` |
| a person | `cancelled` | `cancelled` |

Relaunched means up to `max_task_attempts`; then `failed`, with the last reason. A task that AWS had no capacity for is
no attempt: the run waits on, up to 14 days, as it does where RunTask itself says that there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.watcher.stopped_task import Fault
from overtime.ledger.model import RunState

if TYPE_CHECKING:
    from lambdas.watcher.stopped_task import Cause

_FIRST_DELAY, _LONGEST_DELAY = 15, 300
LONGEST_WAIT = 14 * 86_400
"""Seconds that a run waits for a task, in all."""


@dataclass(frozen=True)
class Relaunch:
    """The run goes back to the queue as its next task attempt."""

    reason: str
    without_capacity: bool = False
    """Whether this one found no capacity, so that it does not count."""


@dataclass(frozen=True)
class Close:
    """The run ends."""

    state: RunState
    reason: str


def decide(  # noqa: PLR0913 -- what the table asks for
    cause: Cause, *, state: RunState, counted: int, waited: float, most_attempts: int, can_relaunch: bool
) -> Relaunch | Close:
    """Apply the table to a run in this state.

    `counted` are its attempts that had capacity, and this one; `waited` are the seconds since it began to wait.
    """
    if cause.fault is Fault.PERSON:
        return Close(RunState.CANCELLED, cause.text)
    claimed = state not in {RunState.QUEUED, RunState.LAUNCHING}
    if cause.fault is Fault.SETUP or (claimed and cause.fault not in {Fault.INFRASTRUCTURE, Fault.CAPACITY}):
        return Close(RunState.FAILED, cause.text)
    without_capacity = cause.fault is Fault.CAPACITY and not claimed
    if not can_relaunch:
        over = "Its function is no longer in the stack, so it was not relaunched"
    elif without_capacity and waited > LONGEST_WAIT:
        over = "The run has waited for 14 days"
    elif not without_capacity and counted >= most_attempts:
        over = f"That was task attempt {counted} of {most_attempts}"
    else:
        return Relaunch(cause.text, without_capacity=without_capacity)
    return Close(RunState.FAILED, f"{cause.text}. {over}")


def backoff(attempt: int) -> int:
    """Say how long an attempt's successor waits, in seconds: longer each time."""
    return min(_LONGEST_DELAY, _FIRST_DELAY << min(attempt - 1, 10))
