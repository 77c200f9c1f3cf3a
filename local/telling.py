"""What the local stack's commands show: plain lines, one a step."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """Show one line of progress."""
    sys.stdout.write(f"overtime: {line}\n")
    sys.stdout.flush()


def head(text: str) -> None:
    """Show the title of a part."""
    sys.stdout.write(f"\n== {text} ==\n")
    sys.stdout.flush()
