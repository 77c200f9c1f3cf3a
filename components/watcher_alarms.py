"""The alarms of a stack's watcher, as plain values; `docs/operating.md` explains how to respond to each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from overtime.components.alarm import FAULTS, Alarm, Question, Watched, ours
from overtime.contract import metrics
from overtime.contract.log_groups import log_group_of

if TYPE_CHECKING:
    import pulumi


def of_watcher(function_name: str, *, dead_letters_name: pulumi.Input[str]) -> list[Alarm]:
    """Return the alarms of a stack's watcher."""
    alarm = partial(Alarm, about=function_name, question=Question((log_group_of(function_name),), FAULTS))
    own = partial(ours, function_name)
    return [
        alarm(
            key="watcher-silent",
            meaning="The watcher has not checked the open runs for some time, so none is closed or relaunched.",
            watched=own(metrics.RUNS_LEFT),
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
            watched=own(metrics.RUNS_LEFT),
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
            watched=own(metrics.ITEMS_UNREADABLE),
            can_wait=True,
        ),
    ]
