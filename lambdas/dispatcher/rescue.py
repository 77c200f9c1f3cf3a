"""Decides which failures are handed over, from the error that Lambda reports.

| error type or message | kind |
|---|---|
| `Sandbox.Timedout`; `Task timed out after 900.00 seconds`, alone or after a request id or a time | timeout |
| `Runtime.OutOfMemory`; `signal: killed`; `exit status 137`; `Runtime.ExitError` with no other cause | out of memory |
| what a runtime with a full heap reports, such as `java.lang.OutOfMemoryError` (`Heap.errors`) | out of memory |
| anything else, such as an error that the handler raised | other |

A dead-letter message has only the message, a destination record also the type. If the type is the handler's own, its
message is ignored, because a handler's message may contain any text, such as "Task timed out after 5 seconds".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from overtime.contract import error_types
from overtime.contract.families import FAMILIES
from overtime.contract.rescue import Rescue

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from overtime.lambdas.dispatcher.failure_record import FailureRecord

_TIMED_OUT = re.compile(
    r"(\S+Z \S+ |RequestId: \S+ (Error: )?)?Task timed out after \d+(\.\d+)? seconds",
)
_KILLED = re.compile(r"(^|\s)(signal: killed|exit status 137)\b")
_HEAP_IS_FULL = frozenset(error for family in FAMILIES if family.heap for error in family.heap.errors)
_BEFORE = re.compile(r"RequestId: \S+ (Error: )?")
_OTHER_END = re.compile(r"signal: |exit status \d|without providing a reason|before completing request")
_RUNTIME_EXIT = re.compile(r"(RequestId: \S+ )?(Error: )?Runtime exited with error: ")


class FailureKind(StrEnum):
    """Why Lambda gave up."""

    TIMEOUT = Rescue.TIMEOUT.value
    OUT_OF_MEMORY = Rescue.OUT_OF_MEMORY.value
    OTHER = "other"


@dataclass(frozen=True)
class HandOver:
    """The run gets a task."""

    kind: FailureKind


@dataclass(frozen=True)
class Skip:
    """The run is recorded, but gets no task."""

    kind: FailureKind
    reason: str


def classify(*, error_type: str | None, error_message: str | None) -> FailureKind:
    """Return the kind of a failure from Lambda's error type and message."""
    text = (error_message or "").strip()
    if error_type in _HEAP_IS_FULL:
        return FailureKind.OUT_OF_MEMORY
    match error_type:
        case error_types.TIMED_OUT:
            return FailureKind.TIMEOUT
        case error_types.OUT_OF_MEMORY:
            return FailureKind.OUT_OF_MEMORY
        case error_types.EXIT_ERROR:
            killed = _KILLED.search(text) or _heap_is_full(text) or not _OTHER_END.search(text)
            return FailureKind.OUT_OF_MEMORY if killed else FailureKind.OTHER
        case None:
            return _by_text(text)
        case _:
            return FailureKind.OTHER


def decide(record: FailureRecord, *, rules: AbstractSet[Rescue], lambda_attempts: int) -> HandOver | Skip:
    """Apply a function's rescue rule.

    With 0 Lambda attempts, the function never ran, so everything is handed over. If `rules` is empty, nothing is.
    """
    kind = classify(error_type=record.error_type, error_message=record.error_message)
    if not rules:
        return Skip(kind, "not handed over: the function is being drained (its setting `enabled` is false)")
    if lambda_attempts == 0 or Rescue.ANY in rules or kind.value in {rule.value for rule in rules}:
        return HandOver(kind)
    return Skip(kind, f"not handed over: the failure is {kind.value!r} and the rule is {', '.join(sorted(rules))}")


def _by_text(text: str) -> FailureKind:
    if _TIMED_OUT.fullmatch(text):
        return FailureKind.TIMEOUT
    killed = _RUNTIME_EXIT.match(text) and _KILLED.search(text)
    if error_types.OUT_OF_MEMORY in text or killed or _heap_is_full(text):
        return FailureKind.OUT_OF_MEMORY
    return FailureKind.OTHER


def _heap_is_full(text: str) -> bool:
    return _BEFORE.sub("", text, count=1) in _HEAP_IS_FULL
