"""The metrics that dispatcher and watcher write to their logs, in CloudWatch's embedded metric format.

Alarms and the dashboard use them. `docs/operating.md` documents each.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

NAMESPACE = "overtime"


class Service(StrEnum):
    """The values of the dimension `service`: our Lambda functions, named like the folders of their code."""

    DISPATCHER = "dispatcher"
    WATCHER = "watcher"

    def variables(self) -> dict[str, str]:
        """Return the environment variables from which Powertools for AWS Lambda reads namespace and service."""
        return {"POWERTOOLS_METRICS_NAMESPACE": NAMESPACE, "POWERTOOLS_SERVICE_NAME": self.value}


FUNCTION_DIMENSION, SERVICE_DIMENSION = "function_name", "service"
"""The only two dimensions, because CloudWatch charges for each combination of their values."""


@dataclass(frozen=True)
class Metric:
    """One metric."""

    name: str
    service: Service
    """The service under which it is written; if both functions count the same thing, both use the same one."""
    unit: Literal["Count", "Seconds"] = "Count"
    of_stack: bool = False
    """Whether it describes the whole stack. `function_name` is then the watcher's, which tells an account's stacks
    apart."""

    def dimensions(self, function_name: str) -> dict[str, str]:
        """Return the dimensions for the function that the metric describes."""
        return {FUNCTION_DIMENSION: function_name, SERVICE_DIMENSION: self.service.value}


_DISPATCHER, _WATCHER = Service.DISPATCHER, Service.WATCHER

# Counted for each failure record.
RUNS_STARTED = Metric("RunsStarted", _DISPATCHER)
RUNS_SKIPPED = Metric("RunsSkipped", _DISPATCHER)
RUNS_HELD = Metric("RunsHeld", _DISPATCHER)
RUNS_PARKED = Metric("RunsParked", _DISPATCHER)
"""The watcher also counts it, for records that it parks itself or finds on the parking queue."""
DUPLICATE_RECORDS = Metric("DuplicateRecords", _DISPATCHER)
RECORDS_UNREADABLE = Metric("RecordsUnreadable", _DISPATCHER)
LAUNCH_FAILED = Metric("LaunchFailed", _DISPATCHER)

# Counted when a run ends.
RUNS_SUCCEEDED = Metric("RunsSucceeded", _WATCHER)
RUNS_FAILED = Metric("RunsFailed", _WATCHER)
"""The handler was the cause. Includes timeouts, because an alarm uses one metric."""
RUNS_TIMED_OUT = Metric("RunsTimedOut", _WATCHER)
RUNS_FAILED_BY_PLATFORM = Metric("RunsFailedByPlatform", _WATCHER)
RUNS_CANCELLED = Metric("RunsCancelled", _WATCHER)
RUNS_RELAUNCHED = Metric("RunsRelaunched", _WATCHER)
RUN_DURATION = Metric("RunDuration", _WATCHER, "Seconds")
FAILURE_TO_HANDLER_START = Metric("FailureToHandlerStart", _WATCHER, "Seconds")
DESTINATION_DELIVERY_FAILURES = Metric("DestinationDeliveryFailures", _WATCHER)

# Measured every five minutes, if there is something to measure.
RUN_AGE = Metric("RunAge", _WATCHER, "Seconds")
LONGEST_WAIT = Metric("LongestWait", _WATCHER, "Seconds")
RUNS_WAITING = Metric("RunsWaiting", _WATCHER)
OLDEST_PARKED = Metric("OldestParked", _WATCHER, "Seconds")

# About the stack.
RUNS_LEFT = Metric("RunsLeft", _WATCHER, of_stack=True)
"""Open runs that a round did not process. Written even if it is 0, because an alarm notices when it is missing."""
ITEMS_UNREADABLE = Metric("ItemsUnreadable", _WATCHER, of_stack=True)
