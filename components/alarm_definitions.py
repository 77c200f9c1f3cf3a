"""All alarms as plain values; `docs/operating.md` explains how to respond to each.

Most are about incidents: they end when no more happen, so that the next incident raises them again. `expiring`,
`waiting`, `watcher-unreadable`, `long-run` and `long-wait` last as long as their cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from overtime.contract import metrics
from overtime.settings.names import DISPATCHER_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from overtime.contract.metrics import Metric

PERIOD_SECONDS = 300
OLDEST_SECONDS = 600
"""A record whose dispatch failed is delivered again after six minutes, so at ten minutes dispatch has failed twice.
SQS excludes messages from this metric from their third delivery on, so it would never reach a higher threshold."""
OLDEST_PARKED_DAYS = 11
"""SQS deletes a message 14 days after it was first sent. The watcher measures that age, because SQS's own metric for a
dead-letter queue starts when the message was moved, and excludes messages that were received three times.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html"""

_NEWEST = "sort @timestamp desc | limit 200"
_OUTPUT = f"fields @timestamp, @logStream, @message | {_NEWEST}"
_FAULTS = f'fields @timestamp, level, run_key, message, reason | filter level != "INFO" | {_NEWEST}'
_REASONS = f"fields @timestamp, run_key, reason | filter ispresent(reason) | {_NEWEST}"
_TASKS = (
    "fields @timestamp, run_key, reason, @message "
    f'| filter ispresent(reason) or @logStream like "overtime/" | {_NEWEST}'
)
"""The watcher's lines about stopped tasks, and the tasks' own output, but not that of attempts on Lambda."""


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


def of_function(  # noqa: PLR0913 -- what differs from function to function
    function_name: str,
    *,
    queue_name: pulumi.Input[str],
    watcher_name: str,
    longest_run: int | None,
    longest_wait: int | None,
    has_destinations: bool,
    skipped: bool,
) -> list[Alarm]:
    """Return the alarms of one function; `longest_run` and `longest_wait` are seconds, None for no such alarm."""
    alarm = partial(Alarm, about=function_name)
    ours = partial(_ours, function_name)
    own, watcher = _log_of(function_name), _log_of(watcher_name)
    dispatcher = _log_of(function_name + DISPATCHER_SUFFIX)
    output = Question((own,), _OUTPUT)
    found = [
        alarm(
            key="failed",
            meaning="A run failed or timed out on Fargate, and the handler was the cause. It is not retried.",
            watched=ours(metrics.RUNS_FAILED),
            question=output,
        ),
        alarm(
            key="platform-failed",
            meaning="A run failed for a reason outside its handler: code, capacity, permission, or AWS itself.",
            watched=ours(metrics.RUNS_FAILED_BY_PLATFORM),
            question=Question((own, watcher), _TASKS),
        ),
        alarm(
            key="parked",
            meaning=(
                "No task can be started for a failed invocation, or its record cannot be read. It waits for an"
                " operator."
            ),
            watched=ours(metrics.RUNS_PARKED),
            # A task that stops before it claims its run has no log, but the watcher logs the reason.
            question=Question((dispatcher, watcher), _FAULTS),
        ),
        alarm(
            key="expiring",
            meaning=(
                f"A message on the parking queue was first sent {OLDEST_PARKED_DAYS} days ago. SQS will delete it"
                " within three days."
            ),
            watched=ours(metrics.OLDEST_PARKED),
            statistic="Maximum",
            threshold=OLDEST_PARKED_DAYS * 86_400,
            can_wait=True,
            question=Question((dispatcher,), _FAULTS),
        ),
        alarm(
            key="waiting",
            meaning=f"A failed invocation has waited more than {OLDEST_SECONDS // 60} minutes for the dispatcher.",
            watched=Watched("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": queue_name}),
            statistic="Maximum",
            threshold=OLDEST_SECONDS,
            question=Question((dispatcher,), _FAULTS),
        ),
        alarm(
            key="lost",
            meaning="Lambda could not write a failed invocation to the failure queue. Its event is lost.",
            watched=Watched("AWS/Lambda", "DeadLetterErrors", {"FunctionName": function_name}),
            question=output,
        ),
    ]
    if skipped:
        found.append(
            alarm(
                key="skipped",
                meaning=(
                    "An invocation failed on Lambda in a way that `rescue` does not name. Its message is on the parking"
                    " queue."
                ),
                watched=ours(metrics.RUNS_SKIPPED),
                can_wait=True,
                question=output,
            )
        )
    if has_destinations:
        found.append(
            alarm(
                key="undelivered",
                meaning="A destination rejected the record of a run's outcome. The watcher retries for a day.",
                watched=ours(metrics.DESTINATION_DELIVERY_FAILURES),
                question=Question((watcher,), _FAULTS),
            )
        )
    if longest_run is not None:
        found.append(
            alarm(
                key="long-run",
                meaning=f"A run has been running for more than {_span(longest_run)}.",
                watched=ours(metrics.RUN_AGE),
                statistic="Maximum",
                threshold=longest_run,
                can_wait=True,
                question=output,
            )
        )
    if longest_wait is not None:
        found.append(
            alarm(
                key="long-wait",
                meaning=f"A run has waited more than {_span(longest_wait)} for a slot or for capacity.",
                watched=ours(metrics.LONGEST_WAIT),
                statistic="Maximum",
                threshold=longest_wait,
                question=Question((dispatcher, watcher), _REASONS),
            )
        )
    return found


def of_watcher(function_name: str, *, dead_letters_name: pulumi.Input[str]) -> list[Alarm]:
    """Return the alarms of a stack's watcher."""
    alarm = partial(Alarm, about=function_name, question=Question((_log_of(function_name),), _FAULTS))
    ours = partial(_ours, function_name)
    return [
        alarm(
            key="watcher-silent",
            meaning="The watcher has not checked the open runs for some time, so none is closed or relaunched.",
            watched=ours(metrics.RUNS_LEFT),
            statistic="SampleCount",
            comparison="LessThanThreshold",
            threshold=1,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            missing="breaching",
        ),
        alarm(
            key="watcher-failing",
            meaning="Invocations of the watcher keep failing, so it notices late that runs ended.",
            watched=Watched("AWS/Lambda", "Errors", {"FunctionName": function_name}),
            # It is invoked in every period, so the next invocation makes up for a single failure.
            evaluation_periods=3,
            datapoints_to_alarm=2,
        ),
        alarm(
            key="watcher-behind",
            meaning="The watcher does not get through all open runs: time is short, or some raise errors.",
            watched=ours(metrics.RUNS_LEFT),
            statistic="Minimum",
            evaluation_periods=3,
            datapoints_to_alarm=3,
            can_wait=True,
        ),
        alarm(
            key="watcher-dead-letters",
            meaning="EventBridge could not invoke the watcher for a stopped task. The next round finds it.",
            # Not the number of messages in the queue, or the alarm would last until somebody empties it.
            watched=Watched("AWS/SQS", "NumberOfMessagesSent", {"QueueName": dead_letters_name}),
            can_wait=True,
        ),
        alarm(
            key="watcher-unreadable",
            meaning="The ledger contains an item that overtime would not have written. Its run stays as it is.",
            watched=ours(metrics.ITEMS_UNREADABLE),
            can_wait=True,
        ),
    ]


def _ours(function_name: str, metric: Metric) -> Watched:
    return Watched(metrics.NAMESPACE, metric.name, metric.dimensions(function_name))


def _log_of(function_name: str) -> str:
    return f"/aws/lambda/{function_name}"


def _span(seconds: int) -> str:
    """Return a duration in the notation of the settings, such as `1d12h`."""
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    left, parts = seconds, []
    for unit, size in units:
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)
