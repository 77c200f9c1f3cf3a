"""Faults on order: calls that fail because a test wants them to.

The rules stand in a JSON file that is read anew at each call:

    [{"service": "ecs", "action": "RunTask", "contains": "text in the body", "times": 2,
      "respond": {"status": 200, "body": {"tasks": [], "failures": [{"reason": "RESOURCE:FARGATE"}]}}}]

The first rule that matches and is not used up answers the call, which is then not carried out, unless the rule says
`"after": true`: then it is carried out and only its answer is replaced, as if the answer had been lost. Every service
is gone for half a minute:

    [{"for_seconds": 30, "respond": {"status": 503, "body": {"__type": "ServiceUnavailable"}}}]

Other rules are about no call. `deliver` says how EventBridge carries an event to a target (`contains` looks at the
event and the target's ARN); `stop` and `fail_to_start` make a task end as Fargate does (`contains` looks at the task):

    [{"contains": "STOPPED", "times": 1, "deliver": {"drop": true}},
     {"times": 1, "stop": {"code": "SpotInterruption", "reason": "Your Spot Task was interrupted."}}]
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypeAlias, TypedDict

if TYPE_CHECKING:
    from pathlib import Path


class Response(TypedDict):
    """What is answered instead."""

    status: int
    body: dict[str, Any]


class Delivery(TypedDict):
    """How an event is carried to a target instead."""

    drop: NotRequired[bool]
    """Not at all."""
    repeat: NotRequired[int]
    """So many times more."""
    delay_seconds: NotRequired[float]
    """Late, so that later events overtake it."""
    without_exit_code: NotRequired[bool]
    """With no `exitCode` in a task's containers, as AWS sends it now and then."""


class Stop(TypedDict):
    """How a task ends as soon as it is RUNNING, or before its containers are made."""

    code: str
    """As in the API: `SpotInterruption`, `TaskFailedToStart`, `InfrastructureHealth`."""
    reason: str
    kill: NotRequired[bool]
    """At once; otherwise SIGTERM and the stop timeout come first."""
    without_exit_code: NotRequired[bool]
    """Nobody was left to see the container's exit code."""


Kind: TypeAlias = Literal["respond", "deliver", "stop", "fail_to_start"]


class Fault(TypedDict):
    """One rule; what it does not name matches everything. It has one key of a `Kind`."""

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
    for_seconds: NotRequired[float]
    """The rule holds for so long after the file was written."""
    respond: NotRequired[Response]
    deliver: NotRequired[Delivery]
    stop: NotRequired[Stop]
    fail_to_start: NotRequired[Stop]


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

    def take(
        self, kind: Kind = "respond", /, *, service: str = "", action: str = "", body: str, caller: str = ""
    ) -> Fault | None:
        """Use up one matching rule once and return it."""
        with self._lock:
            self._read()
            for index, fault in enumerate(self._rules):
                if (
                    kind in fault
                    and not self._is_over(index)
                    and matches(fault, service=service, action=action, body=body, caller=caller)
                ):
                    self._used[index] += 1
                    return fault
        return None

    def has(self, kind: Kind) -> bool:
        """Say whether there is a rule of this kind that is not used up."""
        with self._lock:
            self._read()
            return any(kind in fault and not self._is_over(index) for index, fault in enumerate(self._rules))

    def _is_over(self, index: int) -> bool:
        fault, used = self._rules[index], self._used[index]
        age = time.time() - self._written / 1e9
        return used >= fault.get("times", used + 1) or age > fault.get("for_seconds", age)

    def _read(self) -> None:
        try:
            written = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            self._written, self._rules = 0, []
            return
        if written != self._written:
            self._rules = json.loads(self._path.read_text())
            self._written, self._used = written, [0] * len(self._rules)
