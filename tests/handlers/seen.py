"""Tells everything that a handler can see: the event, the context's attributes, the environment, the folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol


class Context(Protocol):
    """The part of Lambda's context that is a method."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the deadline."""


def handler(event: object, context: Context) -> dict[str, object]:
    names = [name for name in dir(context) if not name.startswith("_") and not callable(getattr(context, name))]
    attributes = {name: plain(getattr(context, name)) for name in names}
    return {
        "event": event,
        "context": attributes | {"get_remaining_time_in_millis()": context.get_remaining_time_in_millis()},
        "environment": dict(os.environ),
        "cwd": str(Path.cwd()),
        "oom_score_adj": Path("/proc/self/oom_score_adj").read_text(encoding="ascii").strip(),
        "path": sys.path,
        "arguments": sys.orig_argv,
    }


def plain(value: object) -> object:
    """Make the context's small objects JSON."""
    names = getattr(type(value), "__slots__", None)
    return {name: plain(getattr(value, name, None)) for name in names} if names else value
