"""What is shown of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.telling import say
from overtime.automation import ResourceStep

if TYPE_CHECKING:
    from overtime.automation import Event


def show(event: Event) -> None:
    """Show a step of a deployment when it is done, and everything that somebody has to say."""
    if isinstance(event, ResourceStep):
        if event.status == "done" and not event.type.startswith("pulumi:providers:"):
            say(f"{event.operation:7} {event.type}  {event.name}")
    elif not event.passing:
        say(str(event))
