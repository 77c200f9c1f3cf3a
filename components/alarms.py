"""The alarms of a stack, and whom they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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


class Alarms(pulumi.ComponentResource):
    """Tells people what only they can fix."""

    arns: list[pulumi.Output[str]]
    topic_arn: pulumi.Output[str] | None
    """The topic that was made."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Alarms", name, {}, opts)

        self.topic_arn = None if args.action_arns else self._topic(name)
        told: list[pulumi.Input[str]] = [self.topic_arn] if self.topic_arn else list(args.action_arns)
        watched = alarm_definitions.of_watcher(args.watcher.name, dead_letters_name=args.watcher.dead_letters_name)
        self.arns = [self._alarm(f"{name}-{each.noun}", each, told) for each in watched]
        for key, function in args.functions.items():
            self.arns += [self._alarm(f"{name}-{key}-{each.noun}", each, told) for each in _of(function)]
        self.register_outputs({"arns": self.arns})

    def _topic(self, name: str) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(f"{name}-topic", opts=child)
        policy = policies.rendered(policies.alarm_topic, arn=topic.arn)
        aws.sns.TopicPolicy(f"{name}-topic-policy", arn=topic.arn, policy=policy, opts=child)
        return topic.arn

    def _alarm(self, name: str, alarm: Alarm, told: list[pulumi.Input[str]]) -> pulumi.Output[str]:
        return aws.cloudwatch.MetricAlarm(
            name,
            name=alarm.name,  # forced: it is what people read first when they are woken
            alarm_description=alarm.description,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=dict(alarm.dimensions),
            statistic=alarm.statistic,
            comparison_operator="GreaterThanThreshold",
            threshold=alarm.above,
            period=alarm_definitions.PERIOD_SECONDS,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.of_them,
            # Queues and functions that nobody uses have no figures at all.
            treat_missing_data="notBreaching",
            alarm_actions=told,
            ok_actions=told,
            opts=pulumi.ResourceOptions(parent=self),
        ).arn


def _of(fallback: FargateFallback) -> list[Alarm]:
    return alarm_definitions.of_function(
        fallback.function.name,
        queue_name=fallback.failures.name,
        parking_name=fallback.failures.parking_name,
        longest_run=fallback.options.alarms.longest_run,
    )
