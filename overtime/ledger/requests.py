"""Every request to the ledger's table, as the plain values that `client.update_item(**request)` and the HTTP API take.

All conditions on state, attempt and task live here and nowhere else. A write that may not happen fails with
ConditionalCheckFailedException, which carries the item as it is (`Item`). A sender that lost the answer to its own
write and sends it again meets that too: `claimed_by` and `finished_by` tell the two apart.

`now` is in seconds since the epoch. Nothing of an event or a result is ever part of a request.
"""
# ruff: noqa: PLR0913 -- a request names everything that it writes; all but the table and the key by keyword

from __future__ import annotations

from types import MappingProxyType

from overtime.errors import OvertimeError
from overtime.ledger.expressions import Update, bounded, entry
from overtime.ledger.model import ANY_TASK, FIRST_STATES, TERMINAL_STATES, RunKey, RunState, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        GetItemInputTypeDef,
        PutItemInputTypeDef,
        UpdateItemInputTypeDef,
    )

    from overtime.ledger.expressions import Value

SOURCES: Mapping[str, frozenset[RunState]] = MappingProxyType(
    {
        "launching": frozenset({RunState.QUEUED}),
        "launched": frozenset({RunState.QUEUED, RunState.LAUNCHING}),
        "note": frozenset({RunState.LAUNCHING}),
        "release": frozenset({RunState.LAUNCHING}),
        "claim": frozenset({RunState.QUEUED, RunState.LAUNCHING}),
        "finish": frozenset({RunState.RUNNING}),
        "hold": frozenset({RunState.QUEUED, RunState.LAUNCHING}),
        "fall_back": frozenset({RunState.LAUNCHING}),
        "revive": frozenset({RunState.SKIPPED}),
        "abandon": frozenset({RunState.QUEUED, RunState.LAUNCHING, RunState.RUNNING}),
        "relaunch": frozenset({RunState.QUEUED, RunState.LAUNCHING, RunState.RUNNING}),
        "reopen": frozenset({RunState.CANCELLED}),
        "settle": TERMINAL_STATES,
        "cancel": frozenset({RunState.QUEUED, RunState.LAUNCHING, RunState.RUNNING}),
    }
)
"""The states that each request starts from; its docstring says where it ends."""

ENDS = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED})
"""The states in which a task's run may finish."""

ON_DEMAND = "on_demand"
"""What `capacity` says of an attempt for which Spot had no place."""


class ImpossibleStateError(OvertimeError):
    """A request was asked for that no ledger would take."""


def record(
    table: str,
    key: RunKey,
    *,
    state: RunState,
    event_size: int,
    event_sha256: str,
    form: str,
    error_code: str | None,
    error_message: str | None,
    invoke_count: int | None,
    reason: str | None,
    now: float,
    expires_at: int,
    failed_at: float | None = None,
) -> PutItemInputTypeDef:
    """Write a run down for the first time, `queued` or `skipped`, task attempt 1; only where it is not yet known."""
    if state not in FIRST_STATES:
        raise ImpossibleStateError(f"a run cannot begin as {state!r}: record it as one of {sorted(FIRST_STATES)}.")
    failure: dict[str, Value] = {"form": {"S": form}}
    if error_code is not None:
        failure["error_code"] = {"S": bounded(error_code)}
    if error_message is not None:
        failure["error_message"] = {"S": bounded(error_message)}
    if invoke_count is not None:
        failure["invoke_count"] = {"N": str(invoke_count)}
    if failed_at is not None:
        failure["failed_at"] = {"S": timestamp(failed_at)}
    item: dict[str, Value] = {
        "run_key": {"S": str(key)},
        "function_name": {"S": key.function_name},
        "request_id": {"S": key.request_id},
        "state": {"S": state.value},
        "attempt": {"N": "1"},
        "created_at": {"S": timestamp(now)},
        "updated_at": {"S": timestamp(now)},
        "queued_at": {"S": timestamp(now)},
        "open": {"S": key.function_name},
        "event_size": {"N": str(event_size)},
        "event_sha256": {"S": event_sha256},
        "failure": {"M": failure},
        "history": {"L": [entry(state, 1, None, reason, now)]},
        "expires_at": {"N": str(expires_at)},
    }
    if reason is not None:
        item["reason"] = {"S": bounded(reason)}
    return {
        "TableName": table,
        "Item": item,
        "ConditionExpression": "attribute_not_exists(run_key)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def get(table: str, key: RunKey) -> GetItemInputTypeDef:
    """Read one run as it is now, not as a replica remembers it."""
    return {"TableName": table, "Key": {"run_key": {"S": str(key)}}, "ConsistentRead": True}


def revive(
    table: str, key: RunKey, *, attempt: int, reason: str, now: float, expires_at: int
) -> UpdateItemInputTypeDef:
    """Take up a run that was not rescued: `skipped` → `queued`, because its record came again under a wider rule.

    Its owner may know of it as skipped; the run is open again all the same, so that its end is told as well.
    """
    update = Update(table, key, attempt, SOURCES["revive"])
    update.enter(RunState.QUEUED, None, reason, now)
    update.set("queued_at", {"S": timestamp(now)})
    update.set("open", {"S": key.function_name})
    update.set("expires_at", {"N": str(expires_at)})
    update.remove("settled_at", "notified")
    return update.request()


def launching(table: str, key: RunKey, *, attempt: int, now: float, remember: bool = True) -> UpdateItemInputTypeDef:
    """Say that RunTask is about to be called: `queued` → `launching`.

    `launching_at` keeps the first time of the attempt, for RunTask forgets its client token after 24 hours.
    `remember=False` leaves the history alone, for runs that have been tried so often that the item would overflow.
    """
    update = Update(table, key, attempt, SOURCES["launching"])
    update.enter(RunState.LAUNCHING, None, None, now, remember=remember)
    update.set_once("launching_at", {"S": timestamp(now)})
    update.remove("reason", "parked_at")
    return update.request()


def launched(table: str, key: RunKey, *, attempt: int, task_arn: str, now: float) -> UpdateItemInputTypeDef:
    """Write down the task that RunTask named, once; the run is `launching` until the task claims it.

    Also from `queued`: a second delivery of the same record may have given up while this one succeeded.
    """
    update = Update(table, key, attempt, SOURCES["launched"])
    update.require_task(None)
    update.enter(RunState.LAUNCHING, task_arn, None, now)
    update.set("task_arn", {"S": task_arn})
    update.set_once("launching_at", {"S": timestamp(now)})
    update.remove("reason")
    return update.request()


def note(
    table: str, key: RunKey, *, attempt: int, reason: str, now: float, parked: bool = False
) -> UpdateItemInputTypeDef:
    """Say why a `launching` run has no task written down yet; it stays `launching`, because one may have started."""
    update = Update(table, key, attempt, SOURCES["note"])
    update.require_task(None)
    update.set("reason", {"S": bounded(reason)})
    update.set("updated_at", {"S": timestamp(now)})
    if parked:
        update.set("parked_at", {"S": timestamp(now)})
    return update.request()


def fall_back(table: str, key: RunKey, *, attempt: int, reason: str, now: float) -> UpdateItemInputTypeDef:
    """Say that Spot started nothing for this attempt, so that every later call asks for on-demand capacity."""
    update = Update(table, key, attempt, SOURCES["fall_back"])
    update.require_task(None)
    update.set("capacity", {"S": ON_DEMAND})
    update.set("reason", {"S": bounded(reason)})
    update.set("updated_at", {"S": timestamp(now)})
    return update.request()


def hold(
    table: str, key: RunKey, *, attempt: int, turn: int, due: float, reason: str, now: float
) -> UpdateItemInputTypeDef:
    """Say that a pointer record with this turn is on the queue, due then; those with lower turns no longer count.

    It is sent before this is written: a turn that the ledger does not know yet is good, one that it has passed is not.
    """
    if turn < 1:
        raise ImpossibleStateError(f"a run cannot be held for turn {turn}: its own record is turn 0, use one of 1 up.")
    update = Update(table, key, attempt, SOURCES["hold"])
    update.require_task(None)
    if turn > 1:
        update.require("#turn = :before", "turn", before={"N": str(turn - 1)})
    else:
        update.require("attribute_not_exists(#turn)", "turn")
    update.set("turn", {"N": str(turn)})
    update.set("due_at", {"S": timestamp(due)})
    update.set("reason", {"S": bounded(reason)})
    update.set("updated_at", {"S": timestamp(now)})
    return update.request()


def release(
    table: str,
    key: RunKey,
    *,
    attempt: int,
    reason: str,
    now: float,
    remember: bool = True,
    parked: bool = False,
) -> UpdateItemInputTypeDef:
    """Go back to `queued` with the same attempt, because RunTask said that nothing started."""
    update = Update(table, key, attempt, SOURCES["release"])
    update.require_task(None)
    update.enter(RunState.QUEUED, None, reason, now, remember=remember)
    if parked:
        update.set("parked_at", {"S": timestamp(now)})
    return update.request()


def claim(table: str, key: RunKey, *, attempt: int, task_arn: str, claim_id: str, now: float) -> UpdateItemInputTypeDef:
    """Take the run for this task, before its handler starts: → `running`. Answers with the whole item (`Attributes`).

    Refused to every other task, to an older attempt, and to the same task once more: a container that was restarted
    must not run the handler twice. `claim_id` is drawn anew by each runner process; with it `claimed_by` recognises
    the process's own claim when only the answer was lost.
    """
    update = Update(table, key, attempt, SOURCES["claim"])
    update.enter(RunState.RUNNING, task_arn, None, now)
    update.set("task_arn", {"S": task_arn})
    update.set("claim_id", {"S": claim_id})
    update.set("started_at", {"S": timestamp(now)})
    update.remove("reason")
    return update.request()


def finish(
    table: str,
    key: RunKey,
    *,
    attempt: int,
    task_arn: str,
    state: RunState,
    now: float,
    reason: str | None = None,
    error_type: str | None = None,
    exit_code: int | None = None,
    result_size: int | None = None,
) -> UpdateItemInputTypeDef:
    """Close a `running` run as one of ENDS; only the attempt and the task that claimed it can be closed so."""
    if state not in ENDS:
        raise ImpossibleStateError(f"a run cannot finish as {state!r}: finish it as one of {sorted(ENDS)}.")
    update = Update(table, key, attempt, SOURCES["finish"])
    update.require_task(task_arn)
    update.enter(state, task_arn, reason, now)
    update.set("finished_at", {"S": timestamp(now)})
    if error_type is not None:
        update.set("error_type", {"S": bounded(error_type)})
    if exit_code is not None:
        update.set("exit_code", {"N": str(exit_code)})
    if result_size is not None:
        update.set("result_size", {"N": str(result_size)})
    return update.request()


def abandon(
    table: str,
    key: RunKey,
    *,
    attempt: int,
    reason: str,
    now: float,
    held_by: str | None = ANY_TASK,
    state: RunState = RunState.FAILED,
    error_type: str | None = None,
    exit_code: int | None = None,
    reopened: bool = False,
) -> UpdateItemInputTypeDef:
    """Close a run whose task ended without closing it, and for which no other will be started.

    `held_by` is the task that it had when that was decided: another one that has claimed it since keeps it.
    """
    if state not in ENDS:
        raise ImpossibleStateError(f"a run cannot be closed as {state!r}: close it as one of {sorted(ENDS)}.")
    update = _without_task(table, key, attempt, "abandon", held_by, reopened=reopened)
    update.enter(state, None, reason, now)
    update.set("finished_at", {"S": timestamp(now)})
    if error_type is not None:
        update.set("error_type", {"S": bounded(error_type)})
    if exit_code is not None:
        update.set("exit_code", {"N": str(exit_code)})
    return update.request()


def relaunch(
    table: str,
    key: RunKey,
    *,
    attempt: int,
    reason: str,
    now: float,
    held_by: str | None = ANY_TASK,
    expires_at: int | None = None,
    reopened: bool = False,
) -> UpdateItemInputTypeDef:
    """Give up on this attempt's task and go back to `queued` as the next attempt.

    From here on the older task can neither claim nor finish the run, should it still be alive.
    """
    update = _without_task(table, key, attempt, "relaunch", held_by, reopened=reopened)
    update.enter(RunState.QUEUED, None, reason, now, attempt=attempt + 1)
    update.set("attempt", {"N": str(attempt + 1)})
    update.set("queued_at", {"S": timestamp(now)})
    if expires_at is not None:
        update.set("expires_at", {"N": str(expires_at)})
    update.remove("task_arn", "claim_id", "launching_at", "started_at", "turn", "due_at", "capacity", "parked_at")
    update.remove("finished_at", "exit_code", "error_type", "result_size")
    return update.request()


def _without_task(table: str, key: RunKey, attempt: int, name: str, held_by: str | None, *, reopened: bool) -> Update:
    """Begin a change that somebody other than the task makes; `reopened` makes it `reopen`.

    A task that AWS stops for its own ends, such as Spot, gets the same SIGTERM as one that somebody cancelled, and its
    runner closes the run as `cancelled`. The runner's end has an exit code, a person's has none; and once the run is
    settled its owner knows of it.
    """
    update = Update(table, key, attempt, SOURCES["reopen" if reopened else name])
    if reopened:
        update.require("attribute_exists(#exit_code)", "exit_code")
        update.require("attribute_not_exists(#settled_at)", "settled_at")
    update.require_task(held_by)
    return update


def settle(table: str, key: RunKey, *, attempt: int, notified: str, now: float) -> UpdateItemInputTypeDef:
    """Say that a finished run's owner has been told (`notified` says how), and that nothing is left to do; once."""
    update = Update(table, key, attempt, SOURCES["settle"])
    update.require("attribute_not_exists(#settled_at)", "settled_at")
    update.set("settled_at", {"S": timestamp(now)})
    update.set("notified", {"S": notified})
    update.remove("open")
    return update.request()


def cancel(table: str, key: RunKey, *, attempt: int, reason: str, now: float) -> UpdateItemInputTypeDef:
    """Close a run that has not finished as `cancelled`; its task, if any, is to be stopped afterwards."""
    update = Update(table, key, attempt, SOURCES["cancel"])
    update.enter(RunState.CANCELLED, None, reason, now)
    update.set("finished_at", {"S": timestamp(now)})
    return update.request()


def claimed_by(item: Mapping[str, AttributeValueTypeDef], *, attempt: int, task_arn: str, claim_id: str) -> bool:
    """Tell whether the claim that was just refused is this very process's own, made a moment before."""
    return (
        item.get("state", {}).get("S") == RunState.RUNNING
        and item.get("claim_id", {}).get("S") == claim_id
        and _held_by(item, attempt, task_arn)
    )


def finished_by(item: Mapping[str, AttributeValueTypeDef], *, attempt: int, task_arn: str, state: RunState) -> bool:
    """Tell whether the finish that was just refused had already been written by this task."""
    return item.get("state", {}).get("S") == state and _held_by(item, attempt, task_arn)


def _held_by(item: Mapping[str, AttributeValueTypeDef], attempt: int, task_arn: str) -> bool:
    return item.get("attempt", {}).get("N") == str(attempt) and item.get("task_arn", {}).get("S") == task_arn
