"""The requests with which a task claims and finishes its run, as plain values for DynamoDB's HTTP API.

A write whose condition is not met fails with ConditionalCheckFailedException, which contains the current item (`Item`).
That also happens to a sender that missed the answer to its own write and repeats it: `claimed_by` and `finished_by`
recognize this case.

The runner's image contains these requests and not `requests`, so changes to the latter do not change the image.
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
"""The states in which each request is allowed."""


def claim(table: str, now: float, key: RunKey, attempt: int, *, task_arn: str, claim_id: str) -> UpdateItemInputTypeDef:
    """Claim the run for this task, before its handler starts: → `running`. The answer has the item (`Attributes`).

    It is refused to other tasks, to older attempts, and to the same task a second time, because a restarted container
    must not run the handler again. Each runner process draws its own `claim_id`, by which `claimed_by` recognizes the
    process's own claim if only the answer was lost.
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
    executed_version: str | None = None,
) -> UpdateItemInputTypeDef:
    """Finish a `running` run as one of ENDS; only the attempt and task that claimed it may do so.

    `executed_version` is the function's version that the task ran, if the run names one.
    """
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
    if executed_version is not None:
        update.set("executed_version", {"S": executed_version})
    return update.request()


def claimed_by(item: Mapping[str, AttributeValueTypeDef], *, attempt: int, task_arn: str, claim_id: str) -> bool:
    """Return whether the claim in a refused claim's item is this process's own."""
    return (
        item.get("state", {}).get("S") == RunState.RUNNING
        and item.get("claim_id", {}).get("S") == claim_id
        and _held_by(item, attempt, task_arn)
    )


def finished_by(item: Mapping[str, AttributeValueTypeDef], *, attempt: int, task_arn: str, state: RunState) -> bool:
    """Return whether the item of a refused finish shows that this task has already finished the run."""
    return item.get("state", {}).get("S") == state and _held_by(item, attempt, task_arn)


def _held_by(item: Mapping[str, AttributeValueTypeDef], attempt: int, task_arn: str) -> bool:
    return item.get("attempt", {}).get("N") == str(attempt) and item.get("task_arn", {}).get("S") == task_arn
