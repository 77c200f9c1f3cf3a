"""Which alarms there are, as plain values; `docs/operating.md` says what to do about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

MANUAL = "docs/operating.md"
PERIOD_SECONDS = 300
OLDEST_SECONDS = 600
"""A record whose dispatch failed is delivered again after six minutes; at ten it has failed twice. SQS leaves messages
out of the figure from their third delivery on, so a higher bound would never be met."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm."""

    key: str
    """What it is called in the manual and in the program."""
    name: str
    """What people are told has happened."""
    meaning: str
    namespace: str
    metric: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: str = "Sum"
    threshold: float = 0
    """It is raised by more than this."""
    evaluation_periods: int = 1
    """Periods that are looked at."""
    datapoints_to_alarm: int = 1
    """Periods that have to be above."""

    @property
    def description(self) -> str:
        """What the alarm means and where it is written what to do."""
        return f"{self.meaning} What to do: {MANUAL}, {self.key}."


def of_function(
    function_name: str,
    *,
    queue_name: pulumi.Input[str],
    parking_name: pulumi.Input[str],
    longest_run: int | None,
) -> list[Alarm]:
    """List the alarms of one function."""
    found = [
        Alarm(
            key="parked",
            name=f"{function_name}-parked",
            meaning="Failed invocations of the function are on its parking queue: they were not handed over.",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": parking_name},
            statistic="Maximum",
        ),
        Alarm(
            key="waiting",
            name=f"{function_name}-waiting",
            meaning="A failed invocation of the function has waited for the dispatcher too long.",
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            dimensions={"QueueName": queue_name},
            statistic="Maximum",
            threshold=OLDEST_SECONDS,
        ),
        Alarm(
            key="lost",
            name=f"{function_name}-lost",
            meaning="Lambda could not leave failed invocations of the function on its failure queue: they are gone.",
            namespace="AWS/Lambda",
            metric="DeadLetterErrors",
            dimensions={"FunctionName": function_name},
        ),
    ]
    if longest_run is not None:
        found.append(
            Alarm(
                key="long-run",
                name=f"{function_name}-long-run",
                meaning=f"A run of the function is at work for longer than {longest_run} seconds.",
                namespace=metrics.NAMESPACE,
                metric="RunAge",
                dimensions=metrics.dimensions(function_name, metrics.WATCHER),
                statistic="Maximum",
                threshold=longest_run,
            )
        )
    return found


def of_watcher(function_name: str, *, dead_letters_name: pulumi.Input[str]) -> list[Alarm]:
    """List the alarms of a stack's watcher."""
    return [
        Alarm(
            key="watcher-failing",
            name=f"{function_name}-failing",
            meaning="The watcher keeps failing: runs whose task died stay open, owners are not told.",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions={"FunctionName": function_name},
            # It is called every period, and what failed once is tried again.
            evaluation_periods=3,
            datapoints_to_alarm=2,
        ),
        Alarm(
            key="watcher-dead-letters",
            name=f"{function_name}-dead-letters",
            meaning="The watcher gave up on events; they are on its dead-letter queue.",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": dead_letters_name},
            statistic="Maximum",
        ),
    ]
