"""What becomes of a run whose task has stopped without closing it. Pure.

| fault of | the handler had not started | it had |
|---|---|---|
| infrastructure | relaunched | relaunched |
| the handler, nobody | relaunched: it cannot have been the handler | `failed` |
| the set-up | `failed` | `failed` |
| a person | `cancelled` | `cancelled` |

Relaunched means up to `max_task_attempts`; then `failed`, with the last reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.watcher.stopped_task import Fault
from overtime.ledger.model import RunState

if TYPE_CHECKING:
    from lambdas.watcher.stopped_task import Cause

_FIRST_DELAY, _LONGEST_DELAY = 15, 300


@dataclass(frozen=True)
class Relaunch:
    """The run goes back to the queue as its next task attempt."""

    reason: str
    delay: int
    """Seconds until the queue delivers it."""


@dataclass(frozen=True)
class Close:
    """The run ends."""

    state: RunState
    reason: str


def decide(cause: Cause, *, state: RunState, attempt: int, most_attempts: int, can_relaunch: bool) -> Relaunch | Close:
    """Apply the table to a run in this state."""
    if cause.fault is Fault.PERSON:
        return Close(RunState.CANCELLED, cause.text)
    claimed = state not in {RunState.QUEUED, RunState.LAUNCHING}
    if cause.fault is Fault.SETUP or (claimed and cause.fault is not Fault.INFRASTRUCTURE):
        return Close(RunState.FAILED, cause.text)
    if not can_relaunch:
        return Close(RunState.FAILED, f"{cause.text}. Its function is no longer in the stack, so it was not relaunched")
    if attempt >= most_attempts:
        return Close(RunState.FAILED, f"{cause.text}. That was task attempt {attempt} of {most_attempts}")
    return Relaunch(cause.text, backoff(attempt))


def backoff(attempt: int) -> int:
    """Say how long an attempt's successor waits, in seconds: longer each time."""
    return min(_LONGEST_DELAY, _FIRST_DELAY << min(attempt - 1, 10))
