"""What a run's end counts as: the metrics that alarms and the dashboard look at."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from overtime.contract.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.lambdas.watcher.meter import Meter
    from overtime.ledger.run import Run

_PLATFORMS_OWN = "Overtime."
"""How the error types begin of what was not the handler's fault."""
ENDED: Mapping[RunState, tuple[str, ...]] = MappingProxyType(
    {
        RunState.SUCCEEDED: ("RunsSucceeded",),
        RunState.FAILED: ("RunsFailed",),
        # An alarm looks at one metric, so this is a kind of failure to it.
        RunState.TIMED_OUT: ("RunsFailed", "RunsTimedOut"),
        RunState.CANCELLED: ("RunsCancelled",),
    }
)
"""What each end is counted as. Without `skipped`: the dispatcher counts that."""


def measure(run: Run, meter: Meter) -> None:
    """Count how a run ended, and measure how long it waited and took."""
    name = run.key.function_name
    platforms = run.state is RunState.FAILED and (run.error_type or "").startswith(_PLATFORMS_OWN)
    for ended in ("RunsFailedByPlatform",) if platforms else ENDED[run.state]:
        meter.count(name, ended)
    if run.started_at is None:
        return
    if run.finished_at is not None:
        meter.seconds(name, "RunDuration", (run.finished_at - run.started_at).total_seconds())
    if run.attempt == 1:
        failed = run.failure.failed_at or run.created_at
        meter.seconds(name, "FailureToHandlerStart", (run.started_at - failed).total_seconds())
