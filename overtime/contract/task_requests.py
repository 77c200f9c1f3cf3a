"""What a task writes about its run, as the plain values that the HTTP API takes: it claims the run and finishes it.

A write that may not happen fails with ConditionalCheckFailedException, which carries the item as it is (`Item`). A
sender that lost the answer to its own write and sends it again meets that too: `claimed_by` and `finished_by` tell the
two apart.

The runner's image holds this and not `requests`, so that what dispatcher and watcher write makes no other image.
"""
# ruff: noqa: PLR0913 -- a request names everything that it writes

from __future__ import annotations

from types import MappingProxyType

from overtime.contract.expressions import ImpossibleStateError, Update, bounded
from overtime.contract.runs import ENDS, RunKey, RunState, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, UpdateItemInputTypeDef

SOURCES: Mapping[str, frozenset[RunState]] = MappingProxyType(
    {
        "claim": frozenset({RunState.QUEUED, RunState.LAUNCHING}),
        "finish": frozenset({RunState.RUNNING}),
    }
)
"""The states that each request starts from; its docstring says where it ends."""


def claim(table: str, now: float, key: RunKey, attempt: int, *, task_arn: str, claim_id: str) -> UpdateItemInputTypeDef:
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
    update.remove("reason", "parked_at", "due_at")
    return update.request()


def finish(
    table: str,
    now: float,
    key: RunKey,
    attempt: int,
    *,
    task_arn: str,
    state: RunState,
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
