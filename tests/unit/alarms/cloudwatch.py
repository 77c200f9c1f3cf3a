"""CloudWatch's rules for metric alarms, as its user guide has them. Pure.

"Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data":
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from overtime.components.alarm import Alarm

MORE_PERIODS = 2
"""How many periods before the evaluated ones are looked at where some have no data: the guide's examples evaluate three
and look at five. The number for others is not documented and taken to be as many more."""
Series = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name and dimensions of a metric."""


class State(StrEnum):
    """The three states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType(
    {"Sum": sum, "Maximum": max, "Minimum": min, "SampleCount": len, "Average": lambda all_: sum(all_) / len(all_)}
)
_BREACHES: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "GreaterThanThreshold": lambda value, threshold: value > threshold,
        "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
        "LessThanThreshold": lambda value, threshold: value < threshold,
        "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
    }
)


def decide(points: Sequence[bool | None], *, periods: int, needed: int, missing: str, current: State) -> State:
    """Give an alarm's state from the periods of its evaluation range, oldest first.

    Each breaches, does not, or has no data. The newest `periods` of those with data are evaluated, and `needed` of them
    must breach; only where there are too few in the whole range is it asked what missing data count as.
    """
    real = [point for point in points if point is not None][-periods:]
    breaching, lacking = real.count(True), periods - len(real)
    if not real and missing == "missing":
        return State.INSUFFICIENT_DATA
    if lacking and missing == "ignore" and (not real or _is_premature(points, needed)):
        return current
    if missing == "breaching":
        breaching += lacking
    elif lacking and missing == "missing" and _is_premature(points, needed):
        return State.ALARM
    return State.ALARM if breaching >= needed else State.OK


def _is_premature(points: Sequence[bool | None], needed: int) -> bool:
    """Tell whether all data that there are breach, and the oldest of them is old enough."""
    ages = [age for age, point in enumerate(reversed(points), start=1) if point is not None]
    return bool(ages) and max(ages) >= needed and False not in points


@dataclass
class Metrics:
    """Values by metric and time, as they were written."""

    values: dict[Series, list[tuple[float, float]]] = field(default_factory=dict)

    def put(self, series: Series, at: float, *values: float) -> None:
        """Take values; times never go back."""
        self.values.setdefault(series, []).extend((at, value) for value in values)

    def between(self, series: Series, start: float, end: float) -> list[float]:
        """Give the values after `start` up to `end`."""
        known = self.values.get(series, [])
        first, last = (bisect_right(known, (moment, float("inf"))) for moment in (start, end))
        return [value for _, value in known[first:last]]

    def merged(self, other: Metrics, *, later: float) -> Metrics:
        """Give both, the other so many seconds later."""
        both = {series: list(values) for series, values in self.values.items()}
        for series, values in other.values.items():
            both[series] = sorted([*both.get(series, []), *((at + later, value) for at, value in values)])
        return Metrics(both)


def series_of(alarm: Alarm) -> Series:
    """Name the metric that an alarm looks at."""
    namespace, name, dimensions = alarm.watched
    return namespace, name, frozenset((name, str(value)) for name, value in dimensions.items())


def state_at(alarm: Alarm, metrics: Metrics, now: float, current: State, *, period: float) -> State:
    """Evaluate an alarm at a moment."""
    points: list[bool | None] = []
    for number in reversed(range(alarm.evaluation_periods + MORE_PERIODS)):
        values = metrics.between(series_of(alarm), now - (number + 1) * period, now - number * period)
        value = _STATISTICS[alarm.statistic](values) if values else None
        points.append(None if value is None else _BREACHES[alarm.comparison](value, alarm.threshold))
    return decide(
        points,
        periods=alarm.evaluation_periods,
        needed=alarm.datapoints_to_alarm,
        missing=alarm.missing,
        current=current,
    )


def notified(
    alarms: Iterable[Alarm], metrics: Metrics, *, start: float, end: float, period: float
) -> list[tuple[float, Alarm]]:
    """List when which alarm goes to ALARM; each is evaluated every minute and was OK at the start."""
    found = []
    for alarm in alarms:
        current, now = State.OK, start
        while now <= end:
            before, current = current, state_at(alarm, metrics, now, current, period=period)
            if current is State.ALARM and before is not State.ALARM:
                found.append((now, alarm))
            now += 60
    return sorted(found, key=lambda each: each[0])
