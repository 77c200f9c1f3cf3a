"""The interface through which the watcher writes metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from overtime.contract.metrics import Metric


class Meter(Protocol):
    """Writes metrics of functions."""

    def measure(self, function_name: str, metric: Metric, value: float = 1) -> None:
        """Add a value to a function's metric, in the metric's unit."""
        ...
