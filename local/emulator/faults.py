"""Faults on order: calls that fail because a test wants them to.

The rules stand in a JSON file that is read anew at each call:

    [{"service": "ecs", "action": "RunTask", "contains": "text in the body", "times": 2,
      "respond": {"status": 200, "body": {"tasks": [], "failures": [{"reason": "RESOURCE:FARGATE"}]}}}]

The first rule that matches and is not used up answers the call, which is then not carried out, unless the rule says
`"after": true`: then it is carried out and only its answer is replaced, as if the answer had been lost.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

if TYPE_CHECKING:
    from pathlib import Path


class Response(TypedDict):
    """What is answered instead."""

    status: int
    body: dict[str, Any]


class Fault(TypedDict):
    """One rule; what it does not name matches everything."""

    service: NotRequired[str]
    """As in the endpoint's name: `ecs`, `sqs`, `dynamodb`."""
    action: NotRequired[str]
    """As in the API: `RunTask`."""
    contains: NotRequired[str]
    """Text that the request's body holds."""
    caller: NotRequired[str]
    """Text that the caller's ARN holds, such as a role's name."""
    times: NotRequired[int]
    """How many calls fail; all of them when it is not there."""
    after: NotRequired[bool]
    """Carry the call out first."""
    hold_seconds: NotRequired[float]
    """Wait so long before the answer: the caller's own patience, or its life, may end first."""
    respond: Response


def matches(fault: Fault, *, service: str, action: str, body: str, caller: str) -> bool:
    """Say whether a rule is meant for this call."""
    return (
        fault.get("service", service) == service
        and fault.get("action", action) == action
        and fault.get("contains", "") in body
        and fault.get("caller", "") in caller
    )


class Faults:
    """The rules of one file, and how often each was used since the file was written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._written = 0
        self._rules: list[Fault] = []
        self._used: list[int] = []

    def take(self, *, service: str, action: str, body: str, caller: str) -> Fault | None:
        """Use up one matching rule once and return it."""
        with self._lock:
            self._read()
            for index, fault in enumerate(self._rules):
                used_up = self._used[index] >= fault.get("times", self._used[index] + 1)
                if not used_up and matches(fault, service=service, action=action, body=body, caller=caller):
                    self._used[index] += 1
                    return fault
        return None

    def _read(self) -> None:
        try:
            written = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            self._written, self._rules = 0, []
            return
        if written != self._written:
            self._rules = json.loads(self._path.read_text())
            self._written, self._used = written, [0] * len(self._rules)
