"""A run as a frozen value, read from its item in the ledger.

An item is untrusted input, because the function's role may write some of its attributes. So the run's key is that of
the request, never one from the item, and an item with values that the ledger would not have written is unreadable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from overtime.contract import runs
from overtime.contract.capacity import Capacity
from overtime.contract.expressions import bounded
from overtime.contract.runs import TERMINAL_STATES, RunState, timestamp
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from overtime.contract.expressions import Value
    from overtime.contract.runs import RunKey

    Item: TypeAlias = Mapping[str, AttributeValueTypeDef]

PERSON = "person"
"""The only value of `cancelled_by`."""
_LONG_HISTORY = 100
_LARGEST_NUMBER = 10**12
"""Greater than every count, size and time that the ledger writes."""
_LONGEST_TEXT = 2048
"""In characters; longer than every text that the ledger writes, including ARNs."""
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
"""The format of `timestamp`."""


class UnreadableItemError(OvertimeError):
    """An item of the ledger's table contains something that the ledger would not have written."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How the invocation failed on Lambda."""

    form: str
    """The kind of failure record: `dead_letter` or `destination`."""
    error_code: str | None = None
    """HTTP status of a dead-letter message; the condition, such as RetriesExhausted, of a destination record."""
    error_message: str | None = None
    invoke_count: int | None = None
    """Lambda attempts, if the record counts them."""
    failed_at: datetime | None = None
    """When Lambda put the record on the queue."""
    version: str | None = None
    """The published version that ran, if the record names one."""
    qualifier: str | None = None
    """The version or alias that was invoked, if the record names one."""

    def item(self) -> Value:
        """Return it as an attribute of the run's item, which `_failure` reads."""
        found: dict[str, Value] = {"form": {"S": self.form}}
        if self.error_code is not None:
            found["error_code"] = {"S": bounded(self.error_code)}
        if self.error_message is not None:
            found["error_message"] = {"S": bounded(self.error_message)}
        if self.invoke_count is not None:
            found["invoke_count"] = {"N": str(self.invoke_count)}
        if self.failed_at is not None:
            found["failed_at"] = {"S": timestamp(self.failed_at.timestamp())}
        if self.version is not None:
            found["version"] = {"S": self.version}
        if self.qualifier is not None:
            found["qualifier"] = {"S": self.qualifier}
        return {"M": found}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change of a run's state."""

    state: RunState
    at: datetime
    attempt: int
    task_arn: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: a failed invocation in the ledger."""

    key: RunKey
    state: RunState
    attempt: int
    """Task attempt, from 1."""
    created_at: datetime
    updated_at: datetime
    launching_at: datetime | None
    """When RunTask was first called for this attempt."""
    started_at: datetime | None
    """When this attempt's task claimed the run."""
    finished_at: datetime | None
    task_arn: str | None
    reason: str | None
    error_type: str | None
    exit_code: int | None
    event_size: int
    """Bytes."""
    event_sha256: str
    """Hexadecimal."""
    result_size: int | None
    """Bytes."""
    failure: Failure
    history: tuple[Step, ...]
    expires_at: int
    """Seconds since the epoch, after which DynamoDB may delete the item."""
    queued_at: datetime
    """When the run began to wait for a task; attempts that never claimed it do not end the wait, parking does."""
    turn: int = 0
    """Number of the valid pointer record; 0 if the run was not deferred in this attempt."""
    due_at: datetime | None = None
    """When that pointer record is due for delivery."""
    on_demand: bool = False
    """Whether Spot had no capacity for this attempt."""
    parked_at: datetime | None = None
    """Since when its record has been on the parking queue, for an operator to move back."""
    unstarted: int = 0
    """Attempts whose task stopped before it claimed the run."""
    refusals: int = 0
    """Consecutive tasks that could not start for a permanent reason."""
    cancelled_by_person: bool = False
    """Whether a person is known to have cancelled it; it then stays cancelled."""
    counted_at: datetime | None = None
    """When its end was counted as a metric."""
    settled_at: datetime | None = None
    """When its destination was notified, after which nothing is left to do."""
    notified: str | None = None
    """The ARN of the notified destination, or why there was none."""
    executed_version: str | None = None
    """The function's version that its task ran, if the failure names one."""

    @property
    def finished(self) -> bool:
        """Whether no task has work to do; only `reopen` and `revive` change that."""
        return self.state in TERMINAL_STATES

    @property
    def is_parked(self) -> bool:
        """Whether it waits for an operator."""
        return self.parked_at is not None

    @property
    def waits_since(self) -> datetime:
        """When its current wait began: for an operator if it is parked, otherwise for a task."""
        return self.parked_at or self.queued_at

    @property
    def counted_attempts(self) -> int:
        """The number of task attempts for `max_task_attempts`: those that claimed the run, and the latest."""
        return self.attempt - self.unstarted

    @property
    def remembers(self) -> bool:
        """Whether changes that may recur still go into the history, because an item is limited to 400 KB."""
        return len(self.history) < _LONG_HISTORY

    @classmethod
    def from_item(cls, key: RunKey, item: Item) -> Run:
        """Read the item with this key. Raise UnreadableItemError if an attribute is missing or invalid."""
        try:
            return _run(key, item)
        except (KeyError, TypeError, ValueError, OvertimeError) as error:
            raise UnreadableItemError(
                f"the ledger's item {str(key)!r} cannot be read ({repr(error)[:_LONGEST_TEXT]}), so the state of the "
                "run is unknown. Check the item in DynamoDB: something other than overtime has written it."
            ) from error


def _run(key: RunKey, item: Item) -> Run:
    return Run(
        key=key,
        state=RunState(item["state"]["S"]),
        attempt=_integer(item["attempt"], lowest=1),
        created_at=_moment(item["created_at"]),
        updated_at=_moment(item["updated_at"]),
        launching_at=_time(item, "launching_at"),
        started_at=_time(item, "started_at"),
        finished_at=_time(item, "finished_at"),
        task_arn=_text(item, "task_arn"),
        reason=_text(item, "reason"),
        error_type=_text(item, "error_type"),
        exit_code=_number(item, "exit_code", lowest=-_LARGEST_NUMBER),
        event_size=_integer(item["event_size"]),
        event_sha256=item["event_sha256"]["S"],
        result_size=_number(item, "result_size"),
        failure=_failure(item["failure"]["M"]),
        history=tuple(_step(step["M"]) for step in item["history"]["L"]),
        expires_at=_integer(item[runs.EXPIRES_AT]),
        queued_at=_time(item, "queued_at") or _moment(item["created_at"]),
        turn=_number(item, "turn") or 0,
        due_at=_time(item, "due_at"),
        on_demand=_text(item, "capacity") == Capacity.ON_DEMAND,
        parked_at=_time(item, "parked_at"),
        # Older items have it as `without_capacity`.
        unstarted=_number(item, "unstarted" if "unstarted" in item else "without_capacity") or 0,
        refusals=_number(item, "refusals") or 0,
        cancelled_by_person=_text(item, "cancelled_by") == PERSON,
        counted_at=_time(item, "counted_at"),
        settled_at=_time(item, "settled_at"),
        notified=_text(item, "notified"),
        executed_version=_text(item, "executed_version"),
    )


def _failure(item: Item) -> Failure:
    return Failure(
        form=item["form"]["S"],
        error_code=_text(item, "error_code"),
        error_message=_text(item, "error_message"),
        invoke_count=_number(item, "invoke_count"),
        failed_at=_time(item, "failed_at"),
        version=_text(item, "version"),
        qualifier=_text(item, "qualifier"),
    )


def _step(item: Item) -> Step:
    return Step(
        state=RunState(item["state"]["S"]),
        at=_moment(item["at"]),
        attempt=_integer(item["attempt"], lowest=1),
        task_arn=_text(item, "task_arn"),
        reason=_text(item, "reason"),
    )


def _text(item: Item, name: str) -> str | None:
    if name not in item:
        return None
    text = item[name]["S"]
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"{name} has {len(text)} characters")
    return text


def _number(item: Item, name: str, *, lowest: int = 0) -> int | None:
    return _integer(item[name], lowest=lowest) if name in item else None


def _time(item: Item, name: str) -> datetime | None:
    return _moment(item[name]) if name in item else None


def _integer(value: AttributeValueTypeDef, *, lowest: int = 0) -> int:
    number = int(value["N"])
    if not lowest <= number <= _LARGEST_NUMBER:
        raise ValueError(f"{number} is not from {lowest} to {_LARGEST_NUMBER}")
    return number


def _moment(value: AttributeValueTypeDef) -> datetime:
    if not _TIMESTAMP.fullmatch(value["S"]):
        raise ValueError(f"{value['S'][:80]!r} is not a timestamp of the ledger")
    return datetime.fromisoformat(value["S"])
