"""What is shown of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.automation import Diagnostic, Progress

if TYPE_CHECKING:
    from overtime.automation import Event
    from overtime.progress import Reporter


def shown(report: Reporter) -> Progress:
    """Return what shows a deployment's operations among a command's other phases."""
    return Progress(reporter=report, log_only=_is_of_our_plugins)


def _is_of_our_plugins(event: Event) -> bool:
    """Check for the engine's warning of plugins on PATH: the light ones are there on purpose."""
    return isinstance(event, Diagnostic) and event.text.startswith("using pulumi-resource-")
