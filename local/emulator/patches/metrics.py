"""CloudWatch metrics that AWS makes itself: from log lines in the embedded metric format, and of queues."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from local.emulator.patches.patching import Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

QUEUE_SECONDS = 5
"""How often queues are measured; AWS does it each minute."""
_MARK = '"_aws"'


class Datum(NamedTuple):
    """One metric with its values."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    unit: str
    seconds: float
    values: list[float]


def embedded(line: str) -> Iterator[Datum]:
    """Give the metrics of a log line; a line of another form holds none.

    CloudWatch user guide, "Specification: Embedded metric format". A target member that is missing or of the wrong type
    leaves out the metric or the dimension set that names it.
    """
    if _MARK not in line:
        return
    try:
        root = json.loads(line)
        described = root["_aws"]
        seconds = described["Timestamp"] / 1000
        for directive in described["CloudWatchMetrics"]:
            yield from _directed(root, directive, seconds)
    except (ValueError, TypeError, KeyError):
        return


def queue_measures(messages: list[Record], now: float) -> dict[str, tuple[float, str]]:
    """Measure a queue: name to value and unit (SQS developer guide, "Available CloudWatch metrics for Amazon SQS")."""
    visible = [message for message in messages if message["visible_at"] <= now]
    delayed = [message for message in messages if message["visible_at"] > now and not message["receive_count"]]
    oldest = min((message["sent_at"] for message in messages), default=now)
    return {
        "ApproximateNumberOfMessagesVisible": (len(visible), "Count"),
        "ApproximateNumberOfMessagesDelayed": (len(delayed), "Count"),
        "ApproximateNumberOfMessagesNotVisible": (len(messages) - len(visible) - len(delayed), "Count"),
        "ApproximateAgeOfOldestMessage": (int(now - oldest), "Seconds"),
    }


def read_metrics_from_logs() -> None:
    """Make metrics of log events in the embedded metric format, whatever the log group."""
    logs, metrics = module("services.cloudwatch_logs"), module("services.cloudwatch")
    inner = original(logs, "_append_log_events")
    store = original(metrics, "_store_datum")

    def append(stream: Record, events: list[Record]) -> object:
        for event in events:
            for datum in embedded(event["message"]):
                where = (datum.namespace, datum.name, datum.dimensions)
                store(*where, datum.seconds, datum.unit, None, datum.values, None, None)
        return inner(stream, events)

    replace(logs, "_append_log_events", append)


def measure_queues() -> None:
    """Keep the metrics of the namespace AWS/SQS."""
    threading.Thread(target=_measure_queues, daemon=True).start()


def _measure_queues() -> None:
    sqs, metrics, responses = module("services.sqs"), module("services.cloudwatch"), module("core.responses")
    while True:
        time.sleep(QUEUE_SECONDS)
        for (account, region, url), queue in sqs._queues.all_items():  # noqa: SLF001
            with responses.request_scope(account, region):
                for name, (value, unit) in queue_measures(list(queue["messages"]), time.time()).items():
                    metrics.record_metric("AWS/SQS", name, value, unit, {"QueueName": url.rpartition("/")[2]})


def _directed(root: Mapping[str, object], directive: Record, seconds: float) -> Iterator[Datum]:
    for names in directive["Dimensions"]:
        dimensions = {name: root.get(name) for name in names}
        if not all(isinstance(value, str) for value in dimensions.values()):
            continue
        for metric in directive["Metrics"]:
            values = _numbers(root.get(metric["Name"]))
            if values:
                yield Datum(
                    namespace=directive["Namespace"],
                    name=metric["Name"],
                    dimensions={name: str(value) for name, value in dimensions.items()},
                    unit=metric.get("Unit", "None"),
                    seconds=seconds,
                    values=values,
                )


def _numbers(member: object) -> list[float]:
    values = member if isinstance(member, list) else [member]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return [float(value) for value in numbers] if len(numbers) == len(values) else []


PATCHES = (read_metrics_from_logs, measure_queues)
