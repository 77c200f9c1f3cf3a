"""The events that a running deployment reports, as values without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulumi.automation import EngineEvent
    from pulumi.automation.events import DiagnosticEvent, StepEventMetadata

WITHHELD = "[secret]"
"""Replaces a secret, here and in outputs that are read without secrets."""

_MARKUP = re.compile(r"<\{%.*?%\}>")
_SHORTEST_SECRET = 6
"""Shorter values are flags, ports and levels: replacing them would garble texts and hide nothing."""

Status = Literal["started", "done", "failed"]
Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class ResourceStep:
    """One step with one resource, without the values of its properties."""

    operation: str
    """Pulumi's name for it: `create`, `update`, `same`, `delete`, `replace`, `read`, `refresh` and so on."""
    status: Status
    """The progress of the step; in a preview it is only planned."""
    type: str
    """Such as `aws:lambda/function:Function`."""
    name: str
    """The resource's name in the program."""
    urn: str
    """The resource's full name in the state."""
    changed: tuple[str, ...] = ()
    """Names of the properties that differ."""
    component: bool = False
    """Whether the resource only contains others; it is done once the program has declared them all."""

    def __str__(self) -> str:
        return f"{self.operation} {self.status}: {self.type} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """A message of the engine, a provider or the program."""

    severity: Severity
    text: str
    """The text, without secrets."""
    name: str | None = None
    """Name of the resource that it is about."""
    passing: bool = False
    """Whether it is transient, such as a step of an image build: the next text replaces it."""

    def __str__(self) -> str:
        return f"{self.severity}: {f'{self.name}: ' if self.name else ''}{self.text}"


Event = ResourceStep | Diagnostic
OnEvent = Callable[[Event], object]
"""A callback for events. It is called with one event at a time, from another thread than the caller's."""


class Redactor:
    """Removes known secrets from texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in (secret, json.dumps(secret)[1:-1])}
        # Longest first, because one secret may be part of another.
        self._secrets = sorted((form for form in forms if len(form) >= _SHORTEST_SECRET), key=len, reverse=True)

    def redacted(self, text: str) -> str:
        """Return a text without the engine's markup and without secrets."""
        text = _MARKUP.sub("", text).strip()
        for secret in self._secrets:
            text = text.replace(secret, WITHHELD)
        return text


def translate(event: EngineEvent, redactor: Redactor) -> Event | None:
    """Return an engine event as an `Event`; `None` for events without meaning for users."""
    if event.resource_pre_event:
        return _step(event.resource_pre_event.metadata, "started")
    if event.res_outputs_event:
        return _step(event.res_outputs_event.metadata, "done")
    if event.res_op_failed_event:
        return _step(event.res_op_failed_event.metadata, "failed")
    if event.diagnostic_event:
        return _diagnostic(event.diagnostic_event, redactor)
    return None


def _step(step: StepEventMetadata, status: Status) -> ResourceStep:
    state = step.new or step.old
    return ResourceStep(
        operation=step.op.value,
        status=status,
        type=step.type,
        name=_name(step.urn),
        urn=step.urn,
        changed=tuple(step.diffs or ()),
        component=state is not None and not state.custom,
    )


def _diagnostic(event: DiagnosticEvent, redactor: Redactor) -> Diagnostic | None:
    text = redactor.redacted(event.message)
    if not text or event.severity == "debug":  # the library's trace of every call
        return None
    return Diagnostic(
        severity=_severity(event.severity),
        text=text,
        name=_name(event.urn) if event.urn else None,
        passing=bool(event.ephemeral),
    )


def _severity(word: str) -> Severity:
    match word:
        case "warning" | "error":
            return word
    return "info"  # also `info#err`, a plugin's standard error


def _name(urn: str) -> str:
    return urn.split("::", 3)[-1]
