"""Which alarms there are, as plain values; `docs/operating.md` says what to do about each.

Each looks at something that passes: it is over when nothing more happens, so that the next incident is told again. Only
`expiring`, `waiting`, `watcher-unreadable` and the two on long runs and waits last for as long as what they are about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from overtime.components import metrics
from overtime.settings.names import DISPATCHER_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

PERIOD_SECONDS = 300
OLDEST_SECONDS = 600
"""A record whose dispatch failed is delivered again after six minutes; at ten it has failed twice. SQS leaves messages
out of the figure from their third delivery on, so a higher bound would never be met."""
OLDEST_PARKED_DAYS = 11
"""SQS deletes a message 14 days after it was first sent. The watcher measures that: SQS's own figure of a dead-letter
queue begins when the message was moved there, and leaves out what has been received three times.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html"""

_NEWEST = "sort @timestamp desc | limit 200"
_OUTPUT = f"fields @timestamp, @logStream, @message | {_NEWEST}"
_FAULTS = f'fields @timestamp, level, run_key, message, reason | filter level != "INFO" | {_NEWEST}'
_REASONS = f"fields @timestamp, run_key, reason | filter ispresent(reason) | {_NEWEST}"
_TASKS = (
    "fields @timestamp, run_key, reason, @message "
    f'| filter ispresent(reason) or @logStream like "overtime/" | {_NEWEST}'
)
"""What the watcher says of tasks that stopped, and what they said themselves, but not the attempts on Lambda."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm."""

    key: str
    """What it is called in the manual and in the program."""
    name: str
    about: str
    """Name of the function that it is about."""
    meaning: str
    namespace: str
    metric: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: str = "Sum"
    comparison: Literal["GreaterThanThreshold", "LessThanThreshold"] = "GreaterThanThreshold"
    threshold: float = 0
    evaluation_periods: int = 1
    """Periods that are looked at."""
    datapoints_to_alarm: int = 1
    """Periods that have to be beyond the threshold."""
    missing: Literal["notBreaching", "breaching"] = "notBreaching"
    """What a period without data is; queues and functions that nobody uses have none."""
    can_wait: bool = False
    """Whether it is enough to look at it the next morning."""
    log_groups: tuple[str, ...]
    query: str
    """What to ask the log groups first."""


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
    """List the alarms of one function."""

    def alarm(  # noqa: PLR0913 -- an alarm's own
        key: str,
        meaning: str,
        watched: tuple[str, str, Mapping[str, pulumi.Input[str]]],
        log: tuple[tuple[str, ...], str],
        *,
        over: float | None = None,
        can_wait: bool = False,
    ) -> Alarm:
        return Alarm(
            key=key,
            name=f"{function_name}-{key}",
            about=function_name,
            meaning=meaning,
            namespace=watched[0],
            metric=watched[1],
            dimensions=watched[2],
            statistic="Sum" if over is None else "Maximum",
            threshold=over or 0,
            can_wait=can_wait,
            log_groups=log[0],
            query=log[1],
        )

    def ours(metric: str, part: str = metrics.WATCHER) -> tuple[str, str, Mapping[str, pulumi.Input[str]]]:
        return metrics.NAMESPACE, metric, metrics.dimensions(function_name, part)

    age = "ApproximateAgeOfOldestMessage"
    own, watcher = _log_of(function_name), _log_of(watcher_name)
    dispatcher = _log_of(function_name + DISPATCHER_SUFFIX)
    output = (own,), _OUTPUT
    # A task that stops before it claims its run leaves no log: the watcher's says why.
    launches = dispatcher, watcher
    found = [
        alarm(
            "failed",
            "A run failed or timed out on Fargate, and the handler was the cause. It is not retried.",
            ours("RunsFailed"),
            output,
        ),
        alarm(
            "platform-failed",
            "A run failed, and the handler was not at fault: code, capacity, permission, or AWS itself.",
            ours("RunsFailedByPlatform"),
            ((own, watcher), _TASKS),
        ),
        alarm(
            "parked",
            "No task can be started for a failed invocation, or its record cannot be read. It waits for a person.",
            ours("RunsParked", metrics.DISPATCHER),
            (launches, _FAULTS),
        ),
        alarm(
            "expiring",
            f"A message on the parking queue was sent {OLDEST_PARKED_DAYS} days ago. SQS deletes it within three more.",
            ours("OldestParked"),
            ((dispatcher,), _FAULTS),
            over=OLDEST_PARKED_DAYS * 86_400,
            can_wait=True,
        ),
        alarm(
            "waiting",
            f"A failed invocation has waited for the dispatcher for more than {OLDEST_SECONDS // 60} minutes.",
            ("AWS/SQS", age, {"QueueName": queue_name}),
            ((dispatcher,), _FAULTS),
            over=OLDEST_SECONDS,
        ),
        alarm(
            "lost",
            "Lambda could not put a failed invocation on the failure queue. Its event is gone.",
            ("AWS/Lambda", "DeadLetterErrors", {"FunctionName": function_name}),
            output,
        ),
    ]
    if skipped:
        meaning = (
            "An invocation failed on Lambda in a way that `rescue` does not name. Its event is on the parking queue."
        )
        found.append(alarm("skipped", meaning, ours("RunsSkipped", metrics.DISPATCHER), output, can_wait=True))
    if has_destinations:
        meaning = "A destination did not take the record of how a run ended. The watcher retries for a day."
        found.append(alarm("undelivered", meaning, ours("DestinationDeliveryFailures"), ((watcher,), _FAULTS)))
    if longest_run is not None:
        meaning = f"A run has been at work for more than {_span(longest_run)}."
        found.append(alarm("long-run", meaning, ours("RunAge"), output, over=longest_run, can_wait=True))
    if longest_wait is not None:
        meaning = f"A run has waited for a slot or for capacity for more than {_span(longest_wait)}."
        found.append(alarm("long-wait", meaning, ours("LongestWait"), (launches, _REASONS), over=longest_wait))
    return found


def of_watcher(function_name: str, *, dead_letters_name: pulumi.Input[str]) -> list[Alarm]:
    """List the alarms of a stack's watcher."""
    log_groups = (_log_of(function_name),)
    return [
        Alarm(
            key="watcher-silent",
            name=f"{function_name}-silent",
            about=function_name,
            meaning="The watcher has not gone through the open runs for some time, so nothing looks after them.",
            namespace=metrics.NAMESPACE,
            metric="RunsLeft",
            dimensions=metrics.dimensions(function_name, metrics.WATCHER),
            statistic="SampleCount",
            comparison="LessThanThreshold",
            threshold=1,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            missing="breaching",
            log_groups=log_groups,
            query=_FAULTS,
        ),
        Alarm(
            key="watcher-failing",
            name=f"{function_name}-failing",
            about=function_name,
            meaning="Calls of the watcher keep failing, so it notices late how runs ended.",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions={"FunctionName": function_name},
            # It is called every period, which makes up for a single failure.
            evaluation_periods=3,
            datapoints_to_alarm=2,
            log_groups=log_groups,
            query=_FAULTS,
        ),
        Alarm(
            key="watcher-behind",
            name=f"{function_name}-behind",
            about=function_name,
            meaning="The watcher does not get through all open runs: it lacks the time, or cannot handle some.",
            namespace=metrics.NAMESPACE,
            metric="RunsLeft",
            dimensions=metrics.dimensions(function_name, metrics.WATCHER),
            statistic="Minimum",
            evaluation_periods=3,
            datapoints_to_alarm=3,
            can_wait=True,
            log_groups=log_groups,
            query=_FAULTS,
        ),
        Alarm(
            key="watcher-dead-letters",
            name=f"{function_name}-dead-letters",
            about=function_name,
            meaning="EventBridge could not tell the watcher of a task that stopped. The next round finds it.",
            namespace="AWS/SQS",
            # Not how many there are: that would keep the alarm until somebody empties the queue.
            metric="NumberOfMessagesSent",
            dimensions={"QueueName": dead_letters_name},
            can_wait=True,
            log_groups=log_groups,
            query=_FAULTS,
        ),
        Alarm(
            key="watcher-unreadable",
            name=f"{function_name}-unreadable",
            about=function_name,
            meaning="The ledger has an item that overtime would not have written: nobody looks after its run.",
            namespace=metrics.NAMESPACE,
            metric="ItemsUnreadable",
            dimensions=metrics.dimensions(function_name, metrics.WATCHER),
            can_wait=True,
            log_groups=log_groups,
            query=_FAULTS,
        ),
    ]


def _log_of(function_name: str) -> str:
    return f"/aws/lambda/{function_name}"


def _span(seconds: int) -> str:
    """Write a span of time as the settings do."""
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    left, parts = seconds, []
    for unit, size in units:
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)
