"""The alarms of a stack, and whom they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pulumi
import pulumi_aws as aws

from components import alarm_definitions, policies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.alarm_definitions import Alarm
    from components.fargate_fallback import FargateFallback
    from components.watcher import Watcher


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """What the alarms need to know."""

    functions: Mapping[str, FargateFallback]
    """The functions they are about, by key."""
    watcher: Watcher
    """The stack's watcher, which they are about too."""
    action_arns: Sequence[str]
    """Who is told; none stands for a topic that is made."""


class _Actions(NamedTuple):
    """Who is told."""

    raised: list[pulumi.Input[str]]
    over: list[pulumi.Input[str]]

    @classmethod
    def to(cls, topic_arn: pulumi.Output[str]) -> _Actions:
        return cls([topic_arn], [topic_arn])

    @classmethod
    def of(cls, arns: Sequence[str]) -> _Actions:
        # The end of an alarm would open an OpsItem or an incident of its own.
        return cls(list(arns), [arn for arn in arns if arn.split(":")[2] in {"sns", "lambda"}])


class Alarms(pulumi.ComponentResource):
    """Tells people what only they can fix."""

    arns: list[pulumi.Output[str]]
    topic_arn: pulumi.Output[str] | None
    """The topic that was made."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Alarms", name, {}, opts)

        self.topic_arn = None if args.action_arns else self._topic(name)
        actions = _Actions.of(args.action_arns) if self.topic_arn is None else _Actions.to(self.topic_arn)
        watched = alarm_definitions.of_watcher(args.watcher.name, dead_letters_name=args.watcher.dead_letters_name)
        self.arns = [self._alarm(f"{name}-{each.key}", each, actions) for each in watched]
        for key, function in args.functions.items():
            self.arns += [self._alarm(f"{name}-{key}-{each.key}", each, actions) for each in _of(function)]
        self.register_outputs({"arns": self.arns})

    def _topic(self, name: str) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(f"{name}-topic", opts=child)
        policy = policies.rendered(policies.alarm_topic, arn=topic.arn)
        aws.sns.TopicPolicy(f"{name}-topic-policy", arn=topic.arn, policy=policy, opts=child)
        return topic.arn

    def _alarm(self, name: str, alarm: Alarm, actions: _Actions) -> pulumi.Output[str]:
        return aws.cloudwatch.MetricAlarm(
            name,
            name=alarm.name,  # forced: it is what people read first when they are woken
            alarm_description=alarm.description,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=dict(alarm.dimensions),
            statistic=alarm.statistic,
            comparison_operator="GreaterThanThreshold",
            threshold=alarm.threshold,
            period=alarm_definitions.PERIOD_SECONDS,
            evaluation_periods=alarm.evaluation_periods,
            datapoints_to_alarm=alarm.datapoints_to_alarm,
            # Queues and functions that nobody uses have no figures at all.
            treat_missing_data="notBreaching",
            alarm_actions=actions.raised,
            ok_actions=actions.over,
            opts=pulumi.ResourceOptions(parent=self),
        ).arn


def _of(fallback: FargateFallback) -> list[Alarm]:
    return alarm_definitions.of_function(
        fallback.function.name,
        queue_name=fallback.failures.name,
        parking_name=fallback.failures.parking_name,
        longest_run=fallback.options.longest_run,
    )
