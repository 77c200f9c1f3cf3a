"""Changes that dispatcher and watcher make to a run that waits for its task.

In addition to the conditions of `requests`, all require that the run has no task.
"""
# ruff: noqa: PLR0913 -- a request names everything that it writes

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from overtime.contract.capacity import Capacity
from overtime.contract.expressions import ImpossibleStateError, Update, bounded
from overtime.contract.runs import RunKey, RunState, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import UpdateItemInputTypeDef

_WAITING = frozenset({RunState.QUEUED, RunState.LAUNCHING})
SOURCES: Mapping[str, frozenset[RunState]] = MappingProxyType(
    {
        "release": frozenset({RunState.LAUNCHING}),
        "fall_back": frozenset({RunState.LAUNCHING}),
        "hold": _WAITING,
        "park": _WAITING,
    }
)
"""The states in which each request is allowed."""


def release(
    table: str,
    now: float,
    key: RunKey,
    attempt: int,
    reason: str,
    *,
    remember: bool = True,
    parked: bool = False,
    unparked: bool = False,
) -> UpdateItemInputTypeDef:
    """Return the run to `queued` in the same attempt, because RunTask started no task.

    For `remember` and `unparked` see `requests.launching`.
    """
    update = Update(table, key, attempt, SOURCES["release"])
    update.require_task(None)
    update.enter(RunState.QUEUED, None, reason, now, remember=remember)
    if parked:
        update.set("parked_at", {"S": timestamp(now)})
    else:
        update.remove("parked_at")
    _wait_anew(update, now, unparked=unparked)
    return update.request()


def fall_back(table: str, now: float, key: RunKey, attempt: int, reason: str) -> UpdateItemInputTypeDef:
    """Record that Spot had no capacity for this attempt, so every later call requests on-demand capacity."""
    update = Update(table, key, attempt, SOURCES["fall_back"])
    update.require_task(None)
    update.set("capacity", {"S": Capacity.ON_DEMAND.value})
    update.set("reason", {"S": bounded(reason)})
    update.set("updated_at", {"S": timestamp(now)})
    return update.request()


def hold(
    table: str,
    now: float,
    key: RunKey,
    attempt: int,
    *,
    turn: int,
    delay: float,
    reason: str,
    unparked: bool = False,
) -> UpdateItemInputTypeDef:
    """Record that the pointer record with this turn is on the queue, due in `delay` seconds; lower turns are now stale.

    The record is sent before this is written, so a record with a higher turn than the ledger's is valid, too. For
    `unparked` see `requests.launching`.
    """
    if turn < 1:
        raise ImpossibleStateError(f"a run cannot be deferred to turn {turn}: use one of the turns 1, 2, and so on.")
    update = Update(table, key, attempt, SOURCES["hold"])
    update.require_task(None)
    _require_turn(update, turn - 1)
    update.set("turn", {"N": str(turn)})
    update.set("due_at", {"S": timestamp(now + delay)})
    update.set("reason", {"S": bounded(reason)})
    update.set("updated_at", {"S": timestamp(now)})
    _wait_anew(update, now, unparked=unparked)
    update.remove("parked_at")
    return update.request()


def park(table: str, now: float, key: RunKey, attempt: int, reason: str, *, turn: int) -> UpdateItemInputTypeDef:
    """Record that the valid record, with this turn, is on the parking queue: once, until it is moved back."""
    update = Update(table, key, attempt, SOURCES["park"])
    update.require_task(None)
    update.require("attribute_not_exists(#parked_at)", "parked_at")
    _require_turn(update, turn)
    update.set("parked_at", {"S": timestamp(now)})
    update.set("reason", {"S": bounded(reason)})
    update.set("updated_at", {"S": timestamp(now)})
    update.remove("refusals")
    return update.request()


def _wait_anew(update: Update, now: float, *, unparked: bool) -> None:
    if unparked:
        update.set("queued_at", {"S": timestamp(now)})


def _require_turn(update: Update, turn: int) -> None:
    if turn:
        update.require("#turn = :before", "turn", before={"N": str(turn)})
    else:
        update.require("attribute_not_exists(#turn)", "turn")
