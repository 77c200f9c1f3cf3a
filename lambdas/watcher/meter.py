"""Where the watcher's metrics go."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """Takes the metrics of functions."""

    def count(self, function_name: str, name: str, number: int = 1) -> None:
        """Count so many."""
        ...

    def seconds(self, function_name: str, name: str, value: float) -> None:
        """Note a duration."""
        ...
