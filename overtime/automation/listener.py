"""Receives the engine's events, passes them on, and collects the data for results and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.automation.events import Diagnostic, OnEvent, Redactor, translate
from overtime.automation.results import Result

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent


class Listener:
    """Receives the events of one operation."""

    def __init__(self, on_event: OnEvent | None, redactor: Redactor) -> None:
        self.redactor = redactor
        self.errors: list[Diagnostic] = []
        self._on_event = on_event
        self._callback_error: Exception | None = None
        self._changes: dict[str, int] = {}
        self._seconds = 0

    def hear(self, event: EngineEvent) -> None:
        """Process one event of the engine."""
        if event.summary_event:
            changes = event.summary_event.resource_changes
            self._changes = {str(getattr(key, "value", key)): count for key, count in changes.items()}
            self._seconds = event.summary_event.duration_seconds
        translated = translate(event, self.redactor)
        if isinstance(translated, Diagnostic) and translated.severity == "error":
            self.errors.append(translated)
        if translated and self._on_event and not self._callback_error:
            try:
                self._on_event(translated)
            except Exception as error:  # noqa: BLE001 - the library would only warn; `result` raises it
                self._callback_error = error

    def result(self) -> Result:
        """Return what the engine did. Raise the exception of the caller's callback, if any, after the work is done."""
        if self._callback_error:
            raise self._callback_error
        return Result(changes=self._changes, seconds=self._seconds)
