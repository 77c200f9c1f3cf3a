"""Changes that dispatcher, watcher and operators make to a run, as arguments for `client.update_item`.

Together with `wait_requests` (changes to a run that waits for its task) and `task_requests` (changes by a task), this
module defines every condition on state, attempt and task. A write whose condition is not met fails with
ConditionalCheckFailedException, which contains the current item.

The first parameters are the table, the time in seconds since the epoch and the run; `RunLedger` supplies the first two.
A request never contains any part of an event or a result.
"""
# ruff: noqa: PLR0913 -- a request names everything that it writes

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING

from overtime.contract import runs
from overtime.contract.expressions import ImpossibleStateError, Update, bounded, entry
from overtime.contract.runs import ENDS, FIRST_STATES, TERMINAL_STATES, RunKey, RunState, expiry, timestamp
from overtime.ledger.run import PERSON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import PutItemInputTypeDef, UpdateItemInputTypeDef

    from overtime.contract.expressions import Value
    from overtime.ledger.run import Failure, Run

SOURCES: Mapping[str, frozenset[RunState]] = MappingProxyType(
    {
        "revive": frozenset({RunState.SKIPPED}),
        "launching": frozenset({RunState.QUEUED}),
        "launched": frozenset({RunState.QUEUED, RunState.LAUNCHING}),
        "abandon": frozenset({RunState.QUEUED, RunState.LAUNCHING, RunState.RUNNING}),
        "relaunch": frozenset({RunState.QUEUED, RunState.LAUNCHING, RunState.RUNNING}),
        "reopen": frozenset({RunState.CANCELLED}),
        "confirm": frozenset({RunState.CANCELLED}),
        "count": ENDS,
        "settle": TERMINAL_STATES,
        "cancel": frozenset({RunState.QUEUED, RunState.LAUNCHING, RunState.RUNNING}),
    }
)
"""The states in which each request is allowed."""


def record(
    table: str,
    now: float,
    key: RunKey,
    event: bytes,
    *,
    failure: Failure,
    runs_days: int,
    state: RunState = RunState.QUEUED,
    reason: str | None = None,
) -> PutItemInputTypeDef:
    """Record a new run as `queued` or `skipped`, with task attempt 1, unless the ledger already has it."""
    if state not in FIRST_STATES:
        raise ImpossibleStateError(f"a run cannot begin as {state!r}: record it as one of {sorted(FIRST_STATES)}.")
    item: dict[str, Value] = {
        runs.KEY: {"S": str(key)},
        "function_name": {"S": key.function_name},
        "request_id": {"S": key.request_id},
        "state": {"S": state.value},
        "attempt": {"N": "1"},
        "created_at": {"S": timestamp(now)},
        "updated_at": {"S": timestamp(now)},
        "queued_at": {"S": timestamp(now)},
        runs.OPEN: {"S": key.function_name},
        "event_size": {"N": str(len(event))},
        "event_sha256": {"S": hashlib.sha256(event).hexdigest()},
        "failure": failure.item(),
        "history": {"L": [entry(state, 1, None, reason, now)]},
        runs.EXPIRES_AT: {"N": str(expiry(now, runs_days))},
    }
    if reason is not None:
        item["reason"] = {"S": bounded(reason)}
    return {
        "TableName": table,
        "Item": item,
        "ConditionExpression": "attribute_not_exists(run_key)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def revive(table: str, now: float, run: Run, reason: str, *, runs_days: int) -> UpdateItemInputTypeDef:
    """Queue a skipped run, because its record was delivered again under a wider rule: `skipped` → `queued`.

    The run is open again even if its destination was notified of the skip, so the outcome will be sent, too.
    """
    update = Update(table, run.key, run.attempt, SOURCES["revive"])
    update.enter(RunState.QUEUED, None, reason, now)
    update.set("queued_at", {"S": timestamp(now)})
    update.set(runs.OPEN, {"S": run.key.function_name})
    update.set(runs.EXPIRES_AT, {"N": str(max(run.expires_at, expiry(now, runs_days)))})
    update.remove("settled_at", "notified", "counted_at")
    return update.request()


def launching(
    table: str, now: float, key: RunKey, attempt: int, *, remember: bool = True, unparked: bool = False
) -> UpdateItemInputTypeDef:
    """Record that RunTask is about to be called: `queued` → `launching`.

    `launching_at` keeps the time of the attempt's first call, because RunTask forgets its client token after 24 hours.
    `remember=False` adds no history entry, because a run with very many entries would exceed DynamoDB's item size.
    `unparked` means that the run was parked: its wait starts again, because the time parked does not count.
    """
    update = Update(table, key, attempt, SOURCES["launching"])
    update.enter(RunState.LAUNCHING, None, None, now, remember=remember)
    update.set_once("launching_at", {"S": timestamp(now)})
    if unparked:
        update.set("queued_at", {"S": timestamp(now)})
    update.remove("reason", "parked_at")
    return update.request()


def launched(
    table: str,
    now: float,
    key: RunKey,
    attempt: int,
    task_arn: str,
    *,
    remember: bool = True,
    unparked: bool = False,
) -> UpdateItemInputTypeDef:
    """Record the task that RunTask returned, once; the run stays `launching` until the task claims it.

    It may be `queued`, because another delivery of the same record may have released it in the meantime. For `remember`
    and `unparked` see `launching`.
    """
    update = Update(table, key, attempt, SOURCES["launched"])
    update.require_task(None)
    update.enter(RunState.LAUNCHING, task_arn, None, now, remember=remember)
    update.set("task_arn", {"S": task_arn})
    update.set_once("launching_at", {"S": timestamp(now)})
    if unparked:
        update.set("queued_at", {"S": timestamp(now)})
    update.remove("reason", "parked_at")
    return update.request()


def abandon(
    table: str,
    now: float,
    key: RunKey,
    attempt: int,
    reason: str,
    *,
    held_by: str | None,
    state: RunState = RunState.FAILED,
    error_type: str | None = None,
    exit_code: int | None = None,
    reopened: bool = False,
) -> UpdateItemInputTypeDef:
    """Close a run whose task stopped without recording an outcome, and which gets no other task.

    `held_by` is the run's task at the time of that decision. A task that has claimed the run since then keeps it.
    """
    if state not in ENDS:
        raise ImpossibleStateError(f"a run cannot be closed as {state!r}: close it as one of {sorted(ENDS)}.")
    update = _without_task(table, key, attempt, "abandon", held_by, reopened=reopened)
    update.enter(state, None, reason, now)
    update.set("finished_at", {"S": timestamp(now)})
    update.remove("counted_at")  # a `cancelled` run whose task AWS stopped ends again, as `failed`
    if state is RunState.CANCELLED:
        update.set("cancelled_by", {"S": PERSON})
    if error_type is not None:
        update.set("error_type", {"S": bounded(error_type)})
    if exit_code is not None:
        update.set("exit_code", {"N": str(exit_code)})
    return update.request()


def relaunch(
    table: str,
    now: float,
    key: RunKey,
    attempt: int,
    reason: str,
    *,
    held_by: str | None,
    expires_at: int,
    reopened: bool = False,
    unstarted: int | None = None,
    refusals: int = 0,
    remember: bool = True,
    unparked: bool = False,
) -> UpdateItemInputTypeDef:
    """Return the run to `queued` with the next attempt.

    The older task, if still running, can then neither claim nor finish the run. The item is kept at least until
    `expires_at`, and as long as the next attempt may last. `unstarted` counts the attempts that never claimed the run,
    or is None if this one did; an unstarted attempt does not end the run's wait. `refusals` counts consecutive tasks
    that could not start for a permanent reason. For `held_by` see `abandon`, for `unparked` see `launching`.
    """
    update = _without_task(table, key, attempt, "relaunch", held_by, reopened=reopened)
    update.enter(RunState.QUEUED, None, reason, now, attempt=attempt + 1, remember=remember)
    update.set("attempt", {"N": str(attempt + 1)})
    if unstarted is None or unparked:
        update.set("queued_at", {"S": timestamp(now)})
    if unstarted is not None:
        update.set("unstarted", {"N": str(unstarted)})
    if refusals:
        update.set("refusals", {"N": str(refusals)})
    else:
        update.remove("refusals")
    update.set(runs.EXPIRES_AT, {"N": str(max(expires_at, expiry(now, 1)))})
    update.remove("task_arn", "claim_id", "launching_at", "started_at", "turn", "due_at", "capacity", "parked_at")
    update.remove("finished_at", "exit_code", "error_type", "result_size", "executed_version", "counted_at")
    return update.request()


def _without_task(table: str, key: RunKey, attempt: int, name: str, held_by: str | None, *, reopened: bool) -> Update:
    """Begin a change of a run by the watcher; if `reopened`, it is a `reopen`.

    A task that AWS stops (Spot, a retiring host) gets the same SIGTERM as one that a person stops, and its runner
    finishes the run as `cancelled`. The run may be reopened until the ledger shows that a person stopped the task, or
    until it is settled, because its destination has then been notified.
    """
    update = Update(table, key, attempt, SOURCES["reopen" if reopened else name])
    if reopened:
        update.require("attribute_not_exists(#cancelled_by)", "cancelled_by")
        update.require("attribute_not_exists(#settled_at)", "settled_at")
    update.require_task(held_by)
    return update


def confirm(table: str, now: float, key: RunKey, attempt: int, *, held_by: str) -> UpdateItemInputTypeDef:  # noqa: ARG001 -- as all are
    """Record that a person stopped the task of a `cancelled` run, which is then never reopened.

    ECS forgets within an hour who stopped a task, and a destination may be unreachable for longer.
    """
    update = Update(table, key, attempt, SOURCES["confirm"])
    update.require("attribute_not_exists(#settled_at)", "settled_at")
    update.require_task(held_by)
    update.set("cancelled_by", {"S": PERSON})
    return update.request()


def count(table: str, now: float, key: RunKey, attempt: int) -> UpdateItemInputTypeDef:
    """Record that the end of a run was counted as a metric: once, however often the watcher processes the run."""
    update = Update(table, key, attempt, SOURCES["count"])
    update.require("attribute_not_exists(#counted_at)", "counted_at")
    update.set("counted_at", {"S": timestamp(now)})
    return update.request()


def settle(
    table: str, now: float, key: RunKey, attempt: int, notified: str, *, told: RunState
) -> UpdateItemInputTypeDef:
    """Settle a run, once: record that its destination was notified. `notified` is its ARN, or why there was none.

    `told` is the state in that notification. A run that was revived or reopened since then may have ended in another
    state, in the same attempt, and its destination must still be notified of that.
    """
    if told not in SOURCES["settle"]:
        raise ImpossibleStateError(
            f"a run that is {told!r} has not ended and cannot be settled: settle one of {sorted(SOURCES['settle'])}."
        )
    update = Update(table, key, attempt, {told})
    update.require("attribute_not_exists(#settled_at)", "settled_at")
    update.set("settled_at", {"S": timestamp(now)})
    update.set("notified", {"S": notified})
    update.remove(runs.OPEN)
    return update.request()


def cancel(table: str, now: float, key: RunKey, attempt: int, reason: str) -> UpdateItemInputTypeDef:
    """Close an unfinished run as `cancelled`; the caller stops its task, if any, afterwards."""
    update = Update(table, key, attempt, SOURCES["cancel"])
    update.enter(RunState.CANCELLED, None, reason, now)
    update.set("finished_at", {"S": timestamp(now)})
    update.set("cancelled_by", {"S": PERSON})
    return update.request()
