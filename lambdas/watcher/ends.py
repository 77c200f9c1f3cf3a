"""The metrics of a run's end."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from overtime.contract import error_types, metrics
from overtime.contract.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.contract.metrics import Metric
    from overtime.lambdas.watcher.meter import Meter
    from overtime.ledger.run import Run

ENDED: Mapping[RunState, tuple[Metric, ...]] = MappingProxyType(
    {
        RunState.SUCCEEDED: (metrics.RUNS_SUCCEEDED,),
        RunState.FAILED: (metrics.RUNS_FAILED,),
        # An alarm uses one metric, so `RunsFailed` includes timeouts.
        RunState.TIMED_OUT: (metrics.RUNS_FAILED, metrics.RUNS_TIMED_OUT),
        RunState.CANCELLED: (metrics.RUNS_CANCELLED,),
    }
)
"""The metrics that count each final state, except `skipped`, which the dispatcher counts."""


def measure(run: Run, meter: Meter) -> None:
    """Count the run's end, and measure its duration and the time until its handler started."""
    name = run.key.function_name
    platforms = run.state is RunState.FAILED and (run.error_type or "").startswith(error_types.PREFIX)
    for ended in (metrics.RUNS_FAILED_BY_PLATFORM,) if platforms else ENDED[run.state]:
        meter.measure(name, ended)
    if run.started_at is None:
        return
    if run.finished_at is not None:
        meter.measure(name, metrics.RUN_DURATION, (run.finished_at - run.started_at).total_seconds())
    if run.attempt == 1:
        failed = run.failure.failed_at or run.created_at
        meter.measure(name, metrics.FAILURE_TO_HANDLER_START, (run.started_at - failed).total_seconds())
