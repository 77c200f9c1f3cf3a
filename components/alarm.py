"""An alarm as a plain value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from overtime.contract import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from overtime.contract.metrics import Metric

PERIOD_SECONDS = 300
NEWEST = "sort @timestamp desc | limit 200"
FAULTS = f'fields @timestamp, level, run_key, message, reason | filter level != "INFO" | {NEWEST}'
"""A query for warnings and errors in the log of a dispatcher or the watcher."""


_OF_WATCHER = "watcher-"
"""Prefix of the keys of the watcher's alarms."""


class Watched(NamedTuple):
    """The metric that an alarm evaluates."""

    namespace: str
    name: str
    dimensions: Mapping[str, pulumi.Input[str]]


class Question(NamedTuple):
    """The most relevant CloudWatch Logs Insights query."""

    log_groups: tuple[str, ...]
    query: str


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm."""

    key: str
    """Its name in the manual and in the program."""
    about: str
    """Name of the function that it monitors."""
    meaning: str
    watched: Watched
    statistic: str = "Sum"
    comparison: Literal["GreaterThanThreshold", "LessThanThreshold"] = "GreaterThanThreshold"
    threshold: float = 0
    evaluation_periods: int = 1
    """How many periods are evaluated."""
    datapoints_to_alarm: int = 1
    """How many of them have to breach the threshold."""
    missing: Literal["notBreaching", "breaching"] = "notBreaching"
    """How a period without data counts; unused queues and functions have no data."""
    can_wait: bool = False
    """Whether it can wait until the morning."""
    question: Question

    @property
    def name(self) -> str:
        """Return its name in CloudWatch."""
        return f"{self.about}-{self.key.removeprefix(_OF_WATCHER)}"


def ours(function_name: str, metric: Metric) -> Watched:
    """Return the metric that an alarm of this function evaluates, if it is one of overtime's own."""
    return Watched(metrics.NAMESPACE, metric.name, metric.dimensions(function_name))
