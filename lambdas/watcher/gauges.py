"""What open runs are measured by at each look: how long they work and how long they wait, by function.

Nothing is written where nothing works or waits: CloudWatch charges a metric for each hour in which it has a value.
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
    """The runs of one look."""

    _working: dict[str, list[float]] = field(default_factory=dict)
    _waiting: dict[str, list[float]] = field(default_factory=dict)

    def add(self, run: Run, now: float) -> None:
        """Measure a run; one that is parked does not wait for AWS but for a person, whom another alarm tells."""
        name = run.key.function_name
        if run.state is RunState.RUNNING and run.started_at is not None:
            self._working.setdefault(name, []).append(now - run.started_at.timestamp())
        elif not run.finished and not run.is_parked:
            self._waiting.setdefault(name, []).append(now - run.queued_at.timestamp())

    def write(self, meter: Meter) -> None:
        """Write the longest of each function, and how many wait."""
        for name, ages in self._working.items():
            meter.measure(name, metrics.RUN_AGE, max(ages))
        for name, waits in self._waiting.items():
            meter.measure(name, metrics.LONGEST_WAIT, max(waits))
            meter.measure(name, metrics.RUNS_WAITING, len(waits))
