"""What dispatcher and watcher write about a run that waits for its task: no task yet, or none that was named.

The conditions are those of `requests`; moreover, none of these touches a run that names a task.
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
"""The states that each request starts from; its docstring says where it ends."""


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
    """Go back to `queued` with the same attempt, because RunTask said that nothing started.

    `unparked` is as in `launching`.
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
    """Say that Spot started nothing for this attempt, so that every later call asks for on-demand capacity."""
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
    """Say that a pointer record with this turn is on the queue, due in `delay` seconds; lower turns no longer count.

    It is sent before this is written: a turn that the ledger does not know yet is good, one that it has passed is not.
    `unparked` is as in `launching`.
    """
    if turn < 1:
        raise ImpossibleStateError(f"a run cannot be held for turn {turn}: its own record is turn 0, use one of 1 up.")
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
    """Say that the record with this turn, the one that counts, is on the parking queue; once until it is moved back."""
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
