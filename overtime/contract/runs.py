"""A run's key, and the states that it passes through.

The runner imports this before the handler can start, so it imports only what `json` loads anyway: no `dataclasses`, no
`typing`, no `datetime`.
"""

from __future__ import annotations

import time
from enum import StrEnum
from types import MappingProxyType

from overtime.contract.limits import DAY_SECONDS, LONGEST_LIFE_DAYS
from overtime.errors import OvertimeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
_LONGEST_FUNCTION_NAME = 140
_LONGEST_REQUEST_ID = 64

KEY, OPEN, EXPIRES_AT = "run_key", "open", "expires_at"
"""The attributes in the table's definition: its key, the key of its index, and its TTL.

The index is named like its key, `OPEN`. It is sparse, because runs lose that attribute when they are settled.
"""


class InvalidRunKeyError(OvertimeError):
    """A text is not a valid run key."""


class RunKey(tuple[str, str]):
    """The key of a run: the function's name and the request id of the invocation.

    Raises InvalidRunKeyError if either cannot be Lambda's, because both become part of an S3 key.
    """

    __slots__ = ()

    def __new__(cls, function_name: str, request_id: str) -> Self:
        """Check both parts."""
        if not (1 <= len(function_name) <= _LONGEST_FUNCTION_NAME and set(function_name) <= _LETTERS | {"_"}):
            raise InvalidRunKeyError(
                f"{function_name[:80]!r} cannot be a function's name: it must be 1 to {_LONGEST_FUNCTION_NAME} "
                "letters, digits, hyphens or underscores (the name, not the ARN). Use the name that Lambda shows."
            )
        if not (1 <= len(request_id) <= _LONGEST_REQUEST_ID and set(request_id) <= _LETTERS):
            raise InvalidRunKeyError(
                f"{request_id[:80]!r} cannot be a request id: it must be 1 to {_LONGEST_REQUEST_ID} letters, "
                "digits or hyphens. Use the RequestId from the function's log."
            )
        return super().__new__(cls, (function_name, request_id))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `<function name>/<request id>`, the form that the ledger and the task's environment use."""
        function_name, slash, request_id = text.partition("/")
        if not slash:
            raise InvalidRunKeyError(f"{text[:80]!r} is not a run key: write it as <function name>/<request id>.")
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
        """S3 key of the event, byte for byte as Lambda received it."""
        return f"events/{self}.json"

    def result_object(self, attempt: int) -> str:
        """S3 key of what the handler returned in this task attempt, or of Lambda's error document."""
        return f"results/{self}/{attempt}.json"


_SLOTS = "/:slots"


def slots_key(function_name: str) -> str:
    """Return the key of the item that counts a function's tasks.

    It has the prefix to which a function's permissions are limited, and no request id can equal the rest.
    """
    return f"{function_name}{_SLOTS}"


def parking_key(function_name: str) -> str:
    """Return the key of the item that stores the last scan of a function's parking queue; likewise."""
    return f"{function_name}/:parking"


def slots_of(key: str) -> str | None:
    """Return the name of the function whose tasks an item counts, or None for any other item."""
    return key.removesuffix(_SLOTS) if key.endswith(_SLOTS) else None


class RunState(StrEnum):
    """The states of a run, as they are stored and displayed."""

    QUEUED = "queued"
    LAUNCHING = "launching"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


FIRST_STATES = frozenset({RunState.QUEUED, RunState.SKIPPED})
"""The states in which a run may begin."""

TRANSITIONS: Mapping[RunState, frozenset[RunState]] = MappingProxyType(
    {
        # A task can claim the run before its launch is recorded: it was faster, or RunTask's answer was lost.
        RunState.QUEUED: frozenset({RunState.LAUNCHING, RunState.RUNNING, RunState.FAILED, RunState.CANCELLED}),
        RunState.LAUNCHING: frozenset({RunState.QUEUED, RunState.RUNNING, RunState.FAILED, RunState.CANCELLED}),
        RunState.RUNNING: frozenset(
            {RunState.QUEUED, RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED}
        ),
        RunState.SUCCEEDED: frozenset(),
        RunState.FAILED: frozenset(),
        RunState.TIMED_OUT: frozenset(),
        # Only if the runner wrote it when its task was stopped, and until the destination is notified: see `reopen`.
        RunState.CANCELLED: frozenset({RunState.QUEUED, RunState.FAILED}),
        # Only if its record is delivered again after the rescue rule was widened: see `revive`.
        RunState.SKIPPED: frozenset({RunState.QUEUED}),
    }
)
"""The states to which a run may change, by its current state."""

TERMINAL_STATES = frozenset(
    {RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED, RunState.SKIPPED}
)
"""The states in which no task has work to do; `settled_at` shows that the destination was notified.

Only two changes leave them: `reopen` from `cancelled`, until the destination is notified, and `revive` from `skipped`.
"""

ENDS = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED})
"""The states in which a task may finish a run."""

TASK_ATTRIBUTES = frozenset(
    {
        *(KEY, "state", "attempt", "updated_at", "history", "task_arn", "claim_id", "started_at", "reason"),
        *("parked_at", "due_at", "finished_at", "error_type", "exit_code", "result_size", "executed_version"),
    }
)
"""The attributes in a task's requests, to which its role is limited: the key, conditions, what is set or removed."""


def timestamp(now: float) -> str:
    """Format seconds since the epoch as ISO 8601 in UTC with milliseconds, which sorts as text."""
    milliseconds = int(now * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(milliseconds // 1000))}.{milliseconds % 1000:03d}Z"


def expiry(created: float, runs_days: int) -> int:
    """Return when DynamoDB may delete a run's item, in seconds since the epoch.

    The item must outlive all messages and tasks of the run, because it prevents a late duplicate from running again.
    """
    return int(created) + max(runs_days, LONGEST_LIFE_DAYS) * DAY_SECONDS
