"""What the local stack's commands show: plain lines, one a step."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from overtime.automation import ResourceStep

if TYPE_CHECKING:
    from overtime.automation import Event


def say(line: str) -> None:
    """Show one line of progress."""
    sys.stdout.write(f"overtime: {line}\n")
    sys.stdout.flush()


def head(text: str) -> None:
    """Show the title of a part."""
    sys.stdout.write(f"\n== {text} ==\n")
    sys.stdout.flush()


def show(event: Event) -> None:
    """Show a step of a deployment when it is done, and everything that somebody has to say."""
    if isinstance(event, ResourceStep):
        if event.status == "done" and not event.type.startswith("pulumi:providers:"):
            say(f"{event.operation:7} {event.type}  {event.name}")
    elif not event.passing:
        say(str(event))
