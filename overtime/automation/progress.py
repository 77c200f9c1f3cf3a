"""A deployment's operations on a progress display: what the engine reports, as pieces of work."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from overtime.automation.events import Diagnostic, ResourceStep
from overtime.progress import Item, Log, Passing, Reporter, display_on
from overtime.progress.state import FAILED
from overtime.progress.text import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

    from overtime.automation.events import Event
    from overtime.progress import Phase, Running

_PROVIDERS = "pulumi:providers:"
"""The engine makes these itself, and leaves them out when it counts."""


_OPERATIONS: dict[str, tuple[str, str | None]] = {
    "create": ("creating", "created"),
    "create-replacement": ("creating", None),
    "delete": ("deleting", "deleted"),
    "delete-replaced": ("deleting", None),
    "discard-replaced": ("forgetting", None),
    "import": ("importing", "imported"),
    "import-replacement": ("importing", None),
    "read": ("reading", "read"),
    "read-replacement": ("reading", None),
    "refresh": ("refreshing", "refreshed"),
    "remove-pending-replace": ("forgetting", None),
    "replace": ("replacing", "replaced"),
    "same": ("checking", "unchanged"),
    "update": ("updating", "updated"),
}
"""What is being done, and the word under which it is counted then; none for a part of a replacement, which is one."""
_AS_PLANNED = frozenset({None, "unchanged", "read", "refreshed"})
"""Words that are as true in a preview."""


def after(phase: Phase, event: Event, at: float, *, planned: bool = False) -> Phase:
    """Return the phase after an event. In a preview, steps are only `planned`."""
    if isinstance(event, Diagnostic):
        return phase.doing(Passing(event.text)) if event.passing else phase
    if event.type.startswith(_PROVIDERS):
        return phase
    doing, done = _OPERATIONS.get(event.operation, (event.operation, event.operation))
    match event.status:
        case "started":
            return phase.started(event.urn, _item(event, doing, at))
        case "failed":
            return phase.ended(event.urn, FAILED)
        case "done":
            return phase.ended(event.urn, f"to {event.operation}" if planned and done not in _AS_PLANNED else done)


def line(event: Event) -> str:
    """Return an event as the log has it: names, operations and texts, but no property's value."""
    if isinstance(event, ResourceStep) and event.changed:
        return f"{event} ({', '.join(event.changed)})"
    return str(event)


def resources(state: object) -> int:
    """Count the resources in a stack's state as the engine counts them."""
    found = state.get("resources") if isinstance(state, dict) else None
    return sum(not str(each["type"]).startswith(_PROVIDERS) for each in found) if isinstance(found, list) else 0


class Progress:
    """Shows operations while they go on: give it to `Deployment.up` and the others in the place of a function.

    On a terminal there is one live display, elsewhere there are a few short lines. Every event goes to a log file that
    the last line names. Neither has the value of any property, and secrets are withheld from the texts.
    """

    def __init__(
        self,
        *,
        stream: TextIO | None = None,
        log: Path | None = None,
        reporter: Reporter | None = None,
        log_only: Callable[[Event], bool] = lambda _event: False,
    ) -> None:
        """Show on `stream`, by default standard output, and append to `log`, by default a new temporary file.

        With a `reporter`, its display and its log are used, and naming the log is left to its owner. What is `log_only`
        is not shown. An operation raises `OSError` before it begins where its log cannot be opened.
        """
        self._stream, self._log, self._reporter, self._log_only = stream, log, reporter, log_only

    @contextmanager
    def operation(self, action: str, stack: str) -> Iterator[Operation]:
        """Show one operation on a stack while the block runs."""
        with self._reporting(action) as reporter:
            try:
                with reporter.phase(f"pulumi {action} ({stack})") as running:
                    yield Operation(running, reporter, planned=action == "preview", log_only=self._log_only)
            except BaseException as error:
                reporter.log.failure(error)
                raise

    @contextmanager
    def _reporting(self, action: str) -> Iterator[Reporter]:
        if self._reporter:
            yield self._reporter
            return
        log = Log(self._log, name=action)
        reporter = Reporter(display_on(self._stream or sys.stdout, os.environ), log)
        try:
            yield reporter
        finally:
            log.close()
            with suppress(OSError):  # nobody reads any more, and the operation has its own result
                reporter.show(named(log.reference))


class Operation:
    """One operation that is shown."""

    def __init__(
        self, running: Running, reporter: Reporter, *, planned: bool, log_only: Callable[[Event], bool]
    ) -> None:
        self._running, self._reporter, self._planned, self._log_only = running, reporter, planned, log_only
        self._said: set[str] = set()
        running.change(lambda phase, _at: phase.doing("starting the engine"))

    def __call__(self, event: Event) -> None:
        """Show an event, and write it to the log."""
        self._reporter.log.write(line(event))
        self._running.change(lambda phase, at: after(phase, event, at, planned=self._planned))
        # An error's place is at the end, where nothing hides it: the exception has them all.
        if isinstance(event, Diagnostic) and not event.passing and event.severity != "error":
            said = str(event)
            if said not in self._said and not self._log_only(event):
                self._reporter.show(named(said))
            self._said.add(said)

    def expect(self, resources: int) -> None:
        """Take the number of resources that there will be at least."""
        self._running.change(lambda phase, _at: phase.expecting(resources))


def _item(step: ResourceStep, doing: str, at: float) -> Item:
    # As the engine's own display shortens it: without the module's file.
    kind = re.sub(r"/[^:]*:", ":", step.type)
    return Item(doing=doing, kind=kind, name=step.name, since=at, group=step.component)
