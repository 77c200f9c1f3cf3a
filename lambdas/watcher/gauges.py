"""Metrics of open runs in each round, per function: how long they have been running or waiting.

They are only written if there is such a run, because CloudWatch charges for each hour in which a metric has a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from overtime.contract import metrics
from overtime.contract.runs import RunState

if TYPE_CHECKING:
    from overtime.lambdas.watcher.meter import Meter
    from overtime.ledger.run import Run


@dataclass
class Gauges:
    """The open runs of one round."""

    _working: dict[str, list[float]] = field(default_factory=dict)
    _waiting: dict[str, list[float]] = field(default_factory=dict)

    def add(self, run: Run, now: float) -> None:
        """Measure a run, unless it is parked: then it waits for an operator, and another alarm reports it."""
        name = run.key.function_name
        if run.state is RunState.RUNNING and run.started_at is not None:
            self._working.setdefault(name, []).append(now - run.started_at.timestamp())
        elif not run.finished and not run.is_parked:
            self._waiting.setdefault(name, []).append(now - run.queued_at.timestamp())

    def write(self, meter: Meter) -> None:
        """Write each function's longest times, and its number of waiting runs."""
        for name, ages in self._working.items():
            meter.measure(name, metrics.RUN_AGE, max(ages))
        for name, waits in self._waiting.items():
            meter.measure(name, metrics.LONGEST_WAIT, max(waits))
            meter.measure(name, metrics.RUNS_WAITING, len(waits))
