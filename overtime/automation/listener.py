"""Hears the engine's events: passes them on, and keeps what the result and the errors are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.automation.events import Diagnostic, OnEvent, Redactor, translate
from overtime.automation.results import Result

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent


class Listener:
    """One operation's ear."""

    def __init__(self, on_event: OnEvent | None, redactor: Redactor) -> None:
        self.redactor = redactor
        self.errors: list[Diagnostic] = []
        self._on_event = on_event
        self._callback_error: Exception | None = None
        self._changes: dict[str, int] = {}
        self._seconds = 0

    def hear(self, event: EngineEvent) -> None:
        """Take one event of the engine's."""
        if event.summary_event:
            changes = event.summary_event.resource_changes
            self._changes = {str(getattr(key, "value", key)): count for key, count in changes.items()}
            self._seconds = event.summary_event.duration_seconds
        said = translate(event, self.redactor)
        if isinstance(said, Diagnostic) and said.severity == "error":
            self.errors.append(said)
        if said and self._on_event and not self._callback_error:
            try:
                self._on_event(said)
            except Exception as error:  # noqa: BLE001 - the library would only warn; `result` raises it to the caller
                self._callback_error = error

    def result(self) -> Result:
        """Give what the engine did. Raises what the caller's own callback raised, now that the work is done."""
        if self._callback_error:
            raise self._callback_error
        return Result(changes=self._changes, seconds=self._seconds)
