"""What a run is called and which states it passes through.

The runner imports this before the handler can start, so it stays on what `json` has loaded anyway: no `dataclasses`,
no `typing`, no `datetime`.
"""

from __future__ import annotations

import time
from enum import StrEnum
from types import MappingProxyType

from overtime.errors import OvertimeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
_LONGEST_FUNCTION_NAME = 140
_LONGEST_REQUEST_ID = 64

KEY, OPEN, EXPIRES_AT = "run_key", "open", "expires_at"
"""The attributes that the table is defined with: its key, the key of its index, and its time to live.

Only runs that are not settled have `OPEN`, so the index holds those alone. The index has the same name.
"""
_DAY = 86_400
LONGEST_LIFE_DAYS = 28
"""A failure record waits in its queue for 14 days at most, and a task then runs for 14 days at most."""


class InvalidRunKeyError(OvertimeError):
    """A text that was to name a run does not."""


class RunKey(tuple[str, str]):
    """One invocation that was handed over: the function's name and the id that Lambda gave the request.

    Raises InvalidRunKeyError where either could not have come from Lambda, because both become part of an S3 key.
    """

    __slots__ = ()

    def __new__(cls, function_name: str, request_id: str) -> Self:
        """Check both halves."""
        if not (1 <= len(function_name) <= _LONGEST_FUNCTION_NAME and set(function_name) <= _LETTERS | {"_"}):
            raise InvalidRunKeyError(
                f"{function_name[:80]!r} cannot be a function's name: a run's key needs 1 to {_LONGEST_FUNCTION_NAME} "
                "letters, digits, hyphens or underscores (the name, not the ARN). Use the name that Lambda shows."
            )
        if not (1 <= len(request_id) <= _LONGEST_REQUEST_ID and set(request_id) <= _LETTERS):
            raise InvalidRunKeyError(
                f"{request_id[:80]!r} cannot be a request id: a run's key needs 1 to {_LONGEST_REQUEST_ID} letters, "
                "digits or hyphens. Use the RequestId that the function's log shows."
            )
        return super().__new__(cls, (function_name, request_id))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `<function name>/<request id>`, the form that the ledger and the task's environment use."""
        function_name, slash, request_id = text.partition("/")
        if not slash:
            raise InvalidRunKeyError(f"{text[:80]!r} names no run: write it as <function name>/<request id>.")
        return cls(function_name, request_id)

    @property
    def function_name(self) -> str:
        """The primary's name."""
        return self[0]

    @property
    def request_id(self) -> str:
        """The id of the original, asynchronous invocation."""
        return self[1]

    def __str__(self) -> str:
        return f"{self[0]}/{self[1]}"

    def __repr__(self) -> str:
        return f"RunKey({self[0]!r}, {self[1]!r})"

    @property
    def event_object(self) -> str:
        """S3 key of the event's bytes, exactly as Lambda got them."""
        return f"events/{self}.json"

    def result_object(self, attempt: int) -> str:
        """S3 key of what the handler returned in this task attempt, or of Lambda's error document."""
        return f"results/{self}/{attempt}.json"


_SLOTS = "/:slots"


def slots_key(function_name: str) -> str:
    """Name the item that counts a function's tasks.

    It begins like the function's runs, as their permissions do, and no request id can look like it.
    """
    return f"{function_name}{_SLOTS}"


def parking_key(function_name: str) -> str:
    """Name the item that says what was last on a function's parking queue; likewise."""
    return f"{function_name}/:parking"


def slots_of(key: str) -> str | None:
    """Tell whose tasks an item counts, or None where it is a run."""
    return key.removesuffix(_SLOTS) if key.endswith(_SLOTS) else None


class RunState(StrEnum):
    """Where a run is; the words are stored and shown as they stand."""

    QUEUED = "queued"
    LAUNCHING = "launching"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


FIRST_STATES = frozenset({RunState.QUEUED, RunState.SKIPPED})
"""The states in which a run may be recorded."""

TRANSITIONS: Mapping[RunState, frozenset[RunState]] = MappingProxyType(
    {
        # A task can claim before its launch is written down: it was quicker, or RunTask's answer was lost.
        RunState.QUEUED: frozenset({RunState.LAUNCHING, RunState.RUNNING, RunState.FAILED, RunState.CANCELLED}),
        RunState.LAUNCHING: frozenset({RunState.QUEUED, RunState.RUNNING, RunState.FAILED, RunState.CANCELLED}),
        RunState.RUNNING: frozenset(
            {RunState.QUEUED, RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED}
        ),
        RunState.SUCCEEDED: frozenset(),
        RunState.FAILED: frozenset(),
        RunState.TIMED_OUT: frozenset(),
        # Only what the runner wrote when its task was stopped, and only while nobody has been told: see `reopen`.
        RunState.CANCELLED: frozenset({RunState.QUEUED, RunState.FAILED}),
        # Only by a delivery of its record once the rescue rule has been widened: see `revive`.
        RunState.SKIPPED: frozenset({RunState.QUEUED}),
    }
)
"""Every change of state that a run may make, by the state that it leaves."""

TERMINAL_STATES = frozenset(
    {RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED, RunState.SKIPPED}
)
"""The states in which no task has work to do; `settled_at` says that the owner knows of it.

Only the two arrows above lead out of them: `reopen` from `cancelled` before the owner knows, `revive` from `skipped`.
"""

ENDS = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED})
"""The states in which a task's run may finish."""

TASK_ATTRIBUTES = frozenset(
    {
        *(KEY, "state", "attempt", "updated_at", "history", "task_arn", "claim_id", "started_at", "reason"),
        *("parked_at", "due_at", "finished_at", "error_type", "exit_code", "result_size"),
    }
)
"""The attributes that a task's requests name, and its role may: the key, conditions, and what is written or removed."""


def timestamp(now: float) -> str:
    """Write seconds since the epoch as ISO 8601 in UTC with milliseconds, which sorts as text."""
    milliseconds = int(now * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(milliseconds // 1000))}.{milliseconds % 1000:03d}Z"


def expiry(created: float, runs_days: int) -> int:
    """Say when DynamoDB may delete a run's item, in seconds since the epoch.

    Never while a message or a task of the run can still be alive: the item is what keeps a late duplicate from running.
    """
    return int(created) + max(runs_days, LONGEST_LIFE_DAYS) * _DAY
