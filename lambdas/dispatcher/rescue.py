"""Which failures are handed over, decided from what Lambda says of the error.

| Lambda says | kind |
|---|---|
| `Sandbox.Timedout`; `Task timed out after 900.00 seconds`, alone or after a request id or a time | timeout |
| `Runtime.OutOfMemory`; `signal: killed`; `exit status 137`; `Runtime.ExitError` with no other end | out of memory |
| anything else, such as an error that the handler raised | other |

A dead-letter message carries the text only, a destination record the type too. Where the type is the handler's own,
the text is the handler's as well and decides nothing: a handler may say that some task timed out after 5 seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from overtime.contract import error_types
from overtime.contract.rescue import Rescue

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from overtime.lambdas.dispatcher.failure_record import FailureRecord

_TIMED_OUT = re.compile(
    r"(\S+Z \S+ |RequestId: \S+ (Error: )?)?Task timed out after \d+(\.\d+)? seconds",
)
_KILLED = re.compile(r"(^|\s)(signal: killed|exit status 137)\b")
_OTHER_END = re.compile(r"signal: |exit status \d|without providing a reason|before completing request")
_RUNTIME_EXIT = re.compile(r"(RequestId: \S+ )?(Error: )?Runtime exited with error: ")


class FailureKind(StrEnum):
    """What made Lambda give up."""

    TIMEOUT = Rescue.TIMEOUT.value
    OUT_OF_MEMORY = Rescue.OUT_OF_MEMORY.value
    OTHER = "other"


@dataclass(frozen=True)
class HandOver:
    """The run goes to a task."""

    kind: FailureKind


@dataclass(frozen=True)
class Skip:
    """The run is kept, and nothing more."""

    kind: FailureKind
    reason: str


def classify(*, error_type: str | None, error_message: str | None) -> FailureKind:
    """Tell the three kinds apart by Lambda's own words."""
    text = (error_message or "").strip()
    match error_type:
        case error_types.TIMED_OUT:
            return FailureKind.TIMEOUT
        case error_types.OUT_OF_MEMORY:
            return FailureKind.OUT_OF_MEMORY
        case error_types.EXIT_ERROR:
            killed = _KILLED.search(text) or not _OTHER_END.search(text)
            return FailureKind.OUT_OF_MEMORY if killed else FailureKind.OTHER
        case None:
            return _by_text(text)
        case _:
            return FailureKind.OTHER


def decide(record: FailureRecord, *, rules: AbstractSet[Rescue], lambda_attempts: int) -> HandOver | Skip:
    """Apply a function's rule.

    With 0 Lambda attempts the function never ran, so everything is handed over. Without any rule nothing is.
    """
    kind = classify(error_type=record.error_type, error_message=record.error_message)
    if not rules:
        return Skip(kind, "not rescued: the function is being drained (its setting `enabled` is false)")
    if lambda_attempts == 0 or Rescue.ANY in rules or kind.value in {rule.value for rule in rules}:
        return HandOver(kind)
    return Skip(kind, f"not rescued: the failure is {kind.value!r} and the rule is {', '.join(sorted(rules))}")


def _by_text(text: str) -> FailureKind:
    if _TIMED_OUT.fullmatch(text):
        return FailureKind.TIMEOUT
    if error_types.OUT_OF_MEMORY in text or (_RUNTIME_EXIT.match(text) and _KILLED.search(text)):
        return FailureKind.OUT_OF_MEMORY
    return FailureKind.OTHER
