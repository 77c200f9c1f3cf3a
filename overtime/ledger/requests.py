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
from overtime.ledger.model import FIRST_STATES, RunKey, RunState, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        GetItemInputTypeDef,
        PutItemInputTypeDef,
        ScanInputTypeDef,
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
        "abandon": frozenset({RunState.LAUNCHING}),
        "relaunch": frozenset({RunState.LAUNCHING, RunState.RUNNING}),
        "cancel": frozenset({RunState.QUEUED, RunState.LAUNCHING, RunState.RUNNING}),
    }
)
"""The states that each request starts from; its docstring says where it ends."""

ENDS = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED})
"""The states in which a task's run may finish."""


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
    item: dict[str, Value] = {
        "run_key": {"S": str(key)},
        "function_name": {"S": key.function_name},
        "request_id": {"S": key.request_id},
        "state": {"S": state.value},
        "attempt": {"N": "1"},
        "created_at": {"S": timestamp(now)},
        "updated_at": {"S": timestamp(now)},
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


def scan(
    table: str, states: Iterable[RunState], *, after: Mapping[str, AttributeValueTypeDef] | None = None
) -> ScanInputTypeDef:
    """Read the runs that are in one of these states, a page at a time; `after` is the last page's LastEvaluatedKey."""
    values = {f":s{index}": state.value for index, state in enumerate(sorted(states))}
    request: ScanInputTypeDef = {
        "TableName": table,
        "FilterExpression": f"#state IN ({', '.join(values)})",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
        "ConsistentRead": True,
    }
    if after is not None:
        request["ExclusiveStartKey"] = dict(after)
    return request


def launching(table: str, key: RunKey, *, attempt: int, now: float, remember: bool = True) -> UpdateItemInputTypeDef:
    """Say that RunTask is about to be called: `queued` → `launching`.

    `launching_at` keeps the first time of the attempt, for RunTask forgets its client token after 24 hours.
    `remember=False` leaves the history alone, for runs that have been tried so often that the item would overflow.
    """
    update = Update(table, key, attempt, SOURCES["launching"])
    update.enter(RunState.LAUNCHING, None, None, now, remember=remember)
    update.set_once("launching_at", {"S": timestamp(now)})
    update.remove("reason")
    return update.request()


def launched(table: str, key: RunKey, *, attempt: int, task_arn: str, now: float) -> UpdateItemInputTypeDef:
    """Write down the task that RunTask named, once; the run is `launching` until the task claims it.

    Also from `queued`: a second delivery of the same record may have given up while this one succeeded.
    """
    update = Update(table, key, attempt, SOURCES["launched"])
    update.require("attribute_not_exists(#task_arn)", "task_arn")
    update.enter(RunState.LAUNCHING, task_arn, None, now)
    update.set("task_arn", {"S": task_arn})
    update.set_once("launching_at", {"S": timestamp(now)})
    update.remove("reason")
    return update.request()


def note(table: str, key: RunKey, *, attempt: int, reason: str, now: float) -> UpdateItemInputTypeDef:
    """Say why a `launching` run has no task written down yet; it stays `launching`, because one may have started."""
    update = Update(table, key, attempt, SOURCES["note"])
    update.require("attribute_not_exists(#task_arn)", "task_arn")
    update.set("reason", {"S": bounded(reason)})
    update.set("updated_at", {"S": timestamp(now)})
    return update.request()


def release(
    table: str, key: RunKey, *, attempt: int, reason: str, now: float, remember: bool = True
) -> UpdateItemInputTypeDef:
    """Go back to `queued` with the same attempt, because RunTask said that nothing started."""
    update = Update(table, key, attempt, SOURCES["release"])
    update.require("attribute_not_exists(#task_arn)", "task_arn")
    update.enter(RunState.QUEUED, None, reason, now, remember=remember)
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
    update.require("#task_arn = :task_arn", "task_arn", {"S": task_arn})
    update.enter(state, task_arn, reason, now)
    update.set("finished_at", {"S": timestamp(now)})
    if error_type is not None:
        update.set("error_type", {"S": bounded(error_type)})
    if exit_code is not None:
        update.set("exit_code", {"N": str(exit_code)})
    if result_size is not None:
        update.set("result_size", {"N": str(result_size)})
    return update.request()


def abandon(table: str, key: RunKey, *, attempt: int, reason: str, now: float) -> UpdateItemInputTypeDef:
    """Close a `launching` run as `failed`: its task ended before it claimed the run, and no other will be started."""
    update = Update(table, key, attempt, SOURCES["abandon"])
    update.enter(RunState.FAILED, None, reason, now)
    update.set("finished_at", {"S": timestamp(now)})
    return update.request()


def relaunch(table: str, key: RunKey, *, attempt: int, reason: str, now: float) -> UpdateItemInputTypeDef:
    """Give up on this attempt's task and go back to `queued` as the next attempt.

    From here on the older task can neither claim nor finish the run, should it still be alive.
    """
    update = Update(table, key, attempt, SOURCES["relaunch"])
    update.enter(RunState.QUEUED, None, reason, now, attempt=attempt + 1)
    update.set("attempt", {"N": str(attempt + 1)})
    update.remove("task_arn", "claim_id", "launching_at", "started_at")
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
