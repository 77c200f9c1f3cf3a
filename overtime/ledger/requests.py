"""What dispatcher, watcher and people write about a run, as the plain values that `client.update_item` takes.

With `wait_requests`, what is written of a run that waits for its task, and `task_requests`, what a task writes, this
has every condition on state, attempt and task; no other module has any. A write that may not happen fails with
ConditionalCheckFailedException, which carries the item as it is.

Each begins with the table, the time in seconds since the epoch and the run; `RunLedger` fills in the first two. Nothing
of an event or a result is ever part of a request.
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
"""The states that each request starts from; its docstring says where it ends."""


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
    """Write a run down for the first time, `queued` or `skipped`, task attempt 1; only where it is not yet known."""
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
    """Take up a run that was not rescued: `skipped` → `queued`, because its record came again under a wider rule.

    Its owner may know of it as skipped; the run is open again all the same, so that its end is told as well.
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
    """Say that RunTask is about to be called: `queued` → `launching`.

    `launching_at` keeps the first time of the attempt, for RunTask forgets its client token after 24 hours.
    `remember=False` leaves the history alone, for runs that have been tried so often that the item would overflow.
    `unparked` says that the run was parked: a person's time is not AWS's, so it begins to wait anew.
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
    """Write down the task that RunTask named, once; the run is `launching` until the task claims it.

    Also from `queued`: a second delivery of the same record may have given up while this one succeeded. `remember`
    and `unparked` are as in `launching`.
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
    """Close a run whose task ended without closing it, and for which no other will be started.

    `held_by` is the task that it had when that was decided: another one that has claimed it since keeps it.
    """
    if state not in ENDS:
        raise ImpossibleStateError(f"a run cannot be closed as {state!r}: close it as one of {sorted(ENDS)}.")
    update = _without_task(table, key, attempt, "abandon", held_by, reopened=reopened)
    update.enter(state, None, reason, now)
    update.set("finished_at", {"S": timestamp(now)})
    update.remove("counted_at")  # a `cancelled` that AWS caused ends anew, as `failed`
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
    """Give up on this attempt's task and go back to `queued` as the next attempt.

    From here on the older task can neither claim nor finish the run, should it still be alive. `held_by` is as in
    `abandon`. The item is kept until `expires_at` at least, and while the next attempt may last. `unstarted` is how
    many attempts never claimed the run, where this was one: then the run waits on, and has waited since before.
    `refusals` is how many in a row could not start for a reason that lasts; `unparked` is as in `launching`.
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
    update.remove("finished_at", "exit_code", "error_type", "result_size", "counted_at")
    return update.request()


def _without_task(table: str, key: RunKey, attempt: int, name: str, held_by: str | None, *, reopened: bool) -> Update:
    """Begin a change that somebody other than the task makes; `reopened` makes it `reopen`.

    A task that AWS stops for its own ends, such as Spot, gets the same SIGTERM as one that somebody cancelled, and its
    runner closes the run as `cancelled`. It may be reopened until it is known that a person cancelled it, or until it
    is settled, for then its owner knows of it.
    """
    update = Update(table, key, attempt, SOURCES["reopen" if reopened else name])
    if reopened:
        update.require("attribute_not_exists(#cancelled_by)", "cancelled_by")
        update.require("attribute_not_exists(#settled_at)", "settled_at")
    update.require_task(held_by)
    return update


def confirm(table: str, now: float, key: RunKey, attempt: int, *, held_by: str) -> UpdateItemInputTypeDef:  # noqa: ARG001 -- as all are
    """Say that a person stopped the task of a run that its runner closed as `cancelled`: it is never reopened.

    ECS forgets within the hour who stopped a task, and telling the owner may take longer.
    """
    update = Update(table, key, attempt, SOURCES["confirm"])
    update.require("attribute_not_exists(#settled_at)", "settled_at")
    update.require_task(held_by)
    update.set("cancelled_by", {"S": PERSON})
    return update.request()


def count(table: str, now: float, key: RunKey, attempt: int) -> UpdateItemInputTypeDef:
    """Say that the end of a run was counted as a metric; once, however often the watcher looks at the run."""
    update = Update(table, key, attempt, SOURCES["count"])
    update.require("attribute_not_exists(#counted_at)", "counted_at")
    update.set("counted_at", {"S": timestamp(now)})
    return update.request()


def settle(
    table: str, now: float, key: RunKey, attempt: int, notified: str, *, told: RunState
) -> UpdateItemInputTypeDef:
    """Say that a finished run's owner has been told (`notified` says how), and that nothing is left to do; once.

    `told` is the end that the owner was told of. A run that was revived or reopened in the meantime may have another by
    now, in the same attempt, of which the owner still has to hear.
    """
    if told not in SOURCES["settle"]:
        raise ImpossibleStateError(
            f"a run that is {told!r} has no end to tell of: settle one of {sorted(SOURCES['settle'])}."
        )
    update = Update(table, key, attempt, {told})
    update.require("attribute_not_exists(#settled_at)", "settled_at")
    update.set("settled_at", {"S": timestamp(now)})
    update.set("notified", {"S": notified})
    update.remove(runs.OPEN)
    return update.request()


def cancel(table: str, now: float, key: RunKey, attempt: int, reason: str) -> UpdateItemInputTypeDef:
    """Close a run that has not finished as `cancelled`; its task, if any, is to be stopped afterwards."""
    update = Update(table, key, attempt, SOURCES["cancel"])
    update.enter(RunState.CANCELLED, None, reason, now)
    update.set("finished_at", {"S": timestamp(now)})
    update.set("cancelled_by", {"S": PERSON})
    return update.request()
