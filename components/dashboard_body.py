"""The dashboard's content as a plain value: a row per function, and one for the watcher.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

from overtime.contract import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overtime.contract.metrics import Metric

Line = list[object]


class Widget(TypedDict):
    """A widget of the dashboard without a position."""

    type: Literal["alarm", "text", "metric"]
    width: int
    height: int
    properties: dict[str, object]


class PlacedWidget(Widget):
    """A widget with its position."""

    x: int
    y: int


_PERIOD_SECONDS = 300
_WIDTH, _COLUMN, _ROW, _TITLE, _ALARMS = 24, 6, 6, 1, 3
"""CloudWatch's grid has 24 columns; the others are the sizes of our widgets in grid units."""
_MOST_ALARMS = 100
"""CloudWatch's limit per widget."""

RUNS = (
    (metrics.RUNS_STARTED, "started"),
    (metrics.RUNS_SUCCEEDED, "succeeded"),
    (metrics.RUNS_FAILED, "failed or timed out"),
    (metrics.RUNS_TIMED_OUT, "timed out"),
    (metrics.RUNS_FAILED_BY_PLATFORM, "failed by the platform"),
    (metrics.DESTINATION_DELIVERY_FAILURES, "rejected by a destination"),
    (metrics.RUNS_CANCELLED, "cancelled"),
    (metrics.RUNS_RELAUNCHED, "relaunched"),
    (metrics.RUNS_HELD, "deferred"),
    (metrics.RUNS_SKIPPED, "skipped"),
    (metrics.RUNS_PARKED, "parked"),
    (metrics.RUNS_WAITING, "waiting"),
)
"""Metrics and their labels."""


@dataclass(frozen=True, kw_only=True)
class ShownFunction:
    """A function whose metrics are shown."""

    name: str
    queue_name: str
    parking_name: str


@dataclass(frozen=True, kw_only=True)
class ShownWatcher:
    """The watcher whose metrics are shown."""

    name: str
    dead_letters_name: str


def body(
    *, region: str, functions: Sequence[ShownFunction], watcher: ShownWatcher, alarm_arns: Sequence[str]
) -> dict[str, object]:
    """Return the dashboard's body; without alarms there is no row for them."""
    rows = [_alarms(alarm_arns[i : i + _MOST_ALARMS]) for i in range(0, len(alarm_arns), _MOST_ALARMS)]
    rows += [row for each in functions for row in ([_title(each.name)], _function(each, region))]
    rows += [[_title(watcher.name)], _watcher(watcher, region)]
    widgets: list[PlacedWidget] = []
    y = 0
    for row in rows:
        x = height = 0
        for widget in row:
            widgets.append({**widget, "x": x, "y": y})
            x += widget["width"]
            height = widget["height"]
        y += height
    return {"widgets": widgets}


def _function(function: ShownFunction, region: str) -> list[Widget]:
    runs: list[Line] = [_ours(metric, function.name, {"label": label}) for metric, label in RUNS]
    queue: list[Line] = [
        _queue("ApproximateAgeOfOldestMessage", function.queue_name, "oldest (s)"),
        _queue("ApproximateNumberOfMessagesVisible", function.queue_name, "waiting", axis="right"),
        _queue("ApproximateNumberOfMessagesVisible", function.parking_name, "parked", axis="right"),
    ]
    return [
        _graph("Runs", region, runs, stat="Sum"),
        _graph("Failure queue", region, queue, stat="Maximum"),
        _graph(
            "From failure to handler start",
            region,
            [
                *_spread(metrics.FAILURE_TO_HANDLER_START, function.name),
                _ours(metrics.LONGEST_WAIT, function.name, {"label": "longest current wait (s)"}),
            ],
        ),
        _graph("Run duration", region, _spread(metrics.RUN_DURATION, function.name)),
    ]


def _watcher(watcher: ShownWatcher, region: str) -> list[Widget]:
    calls: list[Line] = [
        ["AWS/Lambda", metric, "FunctionName", watcher.name, {"label": label}]
        for metric, label in (("Invocations", "invoked"), ("Errors", "failed"), ("Throttles", "throttled"))
    ]
    calls.append(_ours(metrics.RUNS_LEFT, watcher.name, {"label": "runs not processed"}))
    calls.append(_ours(metrics.ITEMS_UNREADABLE, watcher.name, {"label": "unreadable items"}))
    duration: list[Line] = [["AWS/Lambda", "Duration", "FunctionName", watcher.name, {"label": "longest (ms)"}]]
    letters: list[Line] = [_queue("ApproximateNumberOfMessagesVisible", watcher.dead_letters_name, "events")]
    return [
        _graph("Invocations", region, calls, stat="Sum"),
        _graph("Duration", region, duration, stat="Maximum"),
        _graph("Dead letters", region, letters, stat="Maximum"),
    ]


def _alarms(arns: Sequence[str]) -> list[Widget]:
    shown: dict[str, object] = {"title": "Alarms", "alarms": list(arns)}
    return [{"type": "alarm", "width": _WIDTH, "height": _ALARMS, "properties": shown}]


def _title(text: str) -> Widget:
    return {"type": "text", "width": _WIDTH, "height": _TITLE, "properties": {"markdown": f"## {text}"}}


def _graph(title: str, region: str, lines: list[Line], *, stat: str = "Maximum") -> Widget:
    shown: dict[str, object] = {
        "title": title,
        "region": region,
        "view": "timeSeries",
        "stat": stat,
        "period": _PERIOD_SECONDS,
        "yAxis": {"left": {"min": 0}, "right": {"min": 0}},
        "metrics": lines,
    }
    return {"type": "metric", "width": _COLUMN, "height": _ROW, "properties": shown}


def _spread(metric: Metric, function_name: str) -> list[Line]:
    return [
        _ours(metric, function_name, {"stat": "p50", "label": "median (s)"}),
        _ours(metric, function_name, {"stat": "Maximum", "label": "longest (s)"}),
    ]


def _ours(metric: Metric, function_name: str, options: dict[str, object]) -> Line:
    dimensions = metric.dimensions(function_name)
    return [metrics.NAMESPACE, metric.name, *(word for pair in dimensions.items() for word in pair), options]


def _queue(metric: str, queue_name: str, label: str, *, axis: str = "left") -> Line:
    return ["AWS/SQS", metric, "QueueName", queue_name, {"label": label, "yAxis": axis}]
