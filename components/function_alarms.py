"""The alarms of a function, as plain values; `docs/operating.md` explains how to respond to each.

Most are about incidents: they end when no more happen, so that the next incident raises them again. `expiring`,
`waiting`, `long-run` and `long-wait` last as long as their cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from overtime.components.alarm import FAULTS, NEWEST, Alarm, Question, Watched, ours
from overtime.contract import metrics
from overtime.contract.limits import DAY_SECONDS
from overtime.contract.log_groups import log_group_of
from overtime.settings.names import DISPATCHER_SUFFIX
from overtime.settings.rules import duration

if TYPE_CHECKING:
    import pulumi

OLDEST_SECONDS = 600
"""A record whose dispatch failed is delivered again after six minutes, so at ten minutes dispatch has failed twice.
SQS excludes messages from this metric from their third delivery on, so it would never reach a higher threshold."""
OLDEST_PARKED_DAYS = 11
"""SQS deletes a message 14 days after it was first sent. The watcher measures that age, because SQS's own metric for a
dead-letter queue starts when the message was moved, and excludes messages that were received three times.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html"""

_OUTPUT = f"fields @timestamp, @logStream, @message | {NEWEST}"
_REASONS = f"fields @timestamp, run_key, reason | filter ispresent(reason) | {NEWEST}"
_TASKS = (
    f'fields @timestamp, run_key, reason, @message | filter ispresent(reason) or @logStream like "overtime/" | {NEWEST}'
)
"""The watcher's lines about stopped tasks, and the tasks' own output, but not that of attempts on Lambda."""


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
    logs = _Logs(
        log_group_of(function_name), log_group_of(function_name + DISPATCHER_SUFFIX), log_group_of(watcher_name)
    )
    found = [each(function_name, logs) for each in (_failed, _platform_failed, _parked, _expiring, _lost)]
    found.append(_waiting(function_name, logs, queue_name))
    if skipped:
        found.append(_skipped(function_name, logs))
    if has_destinations:
        found.append(_undelivered(function_name, logs))
    if longest_run is not None:
        found.append(_long_run(function_name, logs, longest_run))
    if longest_wait is not None:
        found.append(_long_wait(function_name, logs, longest_wait))
    return found


class _Logs(NamedTuple):
    """The log groups that may show the cause of a function's alarm."""

    function: str
    dispatcher: str
    watcher: str


def _failed(function_name: str, logs: _Logs) -> Alarm:
    return Alarm(
        about=function_name,
        key="failed",
        meaning="A run failed or timed out on Fargate, and the handler was the cause. It is not retried.",
        watched=ours(function_name, metrics.RUNS_FAILED),
        question=Question((logs.function,), _OUTPUT),
    )


def _platform_failed(function_name: str, logs: _Logs) -> Alarm:
    return Alarm(
        about=function_name,
        key="platform-failed",
        meaning="A run failed for a reason outside its handler: code, capacity, permission, or AWS itself.",
        watched=ours(function_name, metrics.RUNS_FAILED_BY_PLATFORM),
        question=Question((logs.function, logs.watcher), _TASKS),
    )


def _parked(function_name: str, logs: _Logs) -> Alarm:
    return Alarm(
        about=function_name,
        key="parked",
        meaning=(
            "No task can be started for a failed invocation, or its record cannot be read. It waits for an operator."
        ),
        watched=ours(function_name, metrics.RUNS_PARKED),
        # A task that stops before it claims its run has no log, but the watcher logs the reason.
        question=Question((logs.dispatcher, logs.watcher), FAULTS),
    )


def _expiring(function_name: str, logs: _Logs) -> Alarm:
    return Alarm(
        about=function_name,
        key="expiring",
        meaning=(
            f"A message on the parking queue was first sent {OLDEST_PARKED_DAYS} days ago. SQS will delete it"
            " within three days."
        ),
        watched=ours(function_name, metrics.OLDEST_PARKED),
        statistic="Maximum",
        threshold=OLDEST_PARKED_DAYS * DAY_SECONDS,
        can_wait=True,
        question=Question((logs.dispatcher,), FAULTS),
    )


def _lost(function_name: str, logs: _Logs) -> Alarm:
    return Alarm(
        about=function_name,
        key="lost",
        meaning="Lambda could not write a failed invocation to the failure queue. Its event is lost.",
        watched=Watched("AWS/Lambda", "DeadLetterErrors", {"FunctionName": function_name}),
        question=Question((logs.function,), _OUTPUT),
    )


def _waiting(function_name: str, logs: _Logs, queue_name: pulumi.Input[str]) -> Alarm:
    return Alarm(
        about=function_name,
        key="waiting",
        meaning=f"A failed invocation has waited more than {OLDEST_SECONDS // 60} minutes for the dispatcher.",
        watched=Watched("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": queue_name}),
        statistic="Maximum",
        threshold=OLDEST_SECONDS,
        question=Question((logs.dispatcher,), FAULTS),
    )


def _skipped(function_name: str, logs: _Logs) -> Alarm:
    return Alarm(
        about=function_name,
        key="skipped",
        meaning=(
            "An invocation failed on Lambda in a way that `rescue` does not name. Its message is on the parking queue."
        ),
        watched=ours(function_name, metrics.RUNS_SKIPPED),
        can_wait=True,
        question=Question((logs.function,), _OUTPUT),
    )


def _undelivered(function_name: str, logs: _Logs) -> Alarm:
    return Alarm(
        about=function_name,
        key="undelivered",
        meaning="A destination rejected the record of a run's outcome. The watcher retries for a day.",
        watched=ours(function_name, metrics.DESTINATION_DELIVERY_FAILURES),
        question=Question((logs.watcher,), FAULTS),
    )


def _long_run(function_name: str, logs: _Logs, longest_run: int) -> Alarm:
    return Alarm(
        about=function_name,
        key="long-run",
        meaning=f"A run has been running for more than {duration(longest_run)}.",
        watched=ours(function_name, metrics.RUN_AGE),
        statistic="Maximum",
        threshold=longest_run,
        can_wait=True,
        question=Question((logs.function,), _OUTPUT),
    )


def _long_wait(function_name: str, logs: _Logs, longest_wait: int) -> Alarm:
    return Alarm(
        about=function_name,
        key="long-wait",
        meaning=f"A run has waited more than {duration(longest_wait)} for a slot or for capacity.",
        watched=ours(function_name, metrics.LONGEST_WAIT),
        statistic="Maximum",
        threshold=longest_wait,
        question=Question((logs.dispatcher, logs.watcher), _REASONS),
    )
