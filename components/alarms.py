"""The alarms of a stack, and what they notify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pulumi
import pulumi_aws as aws

from overtime.components import function_alarms, policies, watcher_alarms
from overtime.components.alarm import PERIOD_SECONDS
from overtime.components.alarm_text import Place, description

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overtime import settings
    from overtime.components.alarm import Alarm
    from overtime.components.fargate_fallback import FargateFallback
    from overtime.components.watcher import Watcher


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """Arguments of `Alarms`."""

    functions: Mapping[str, FargateFallback]
    """The functions that they monitor, by key."""
    watcher: Watcher
    """The stack's watcher, which they monitor, too."""
    options: settings.Alarms
    """Which alarms to create, and what they notify."""
    name_prefix: str
    """Prefix of the names of all functions of the stack, and thus of their alarms."""
    dashboard_name: str | None
    """The stack's dashboard, if it has one."""
    arn_prefix: pulumi.Input[str]
    """`arn:<partition>:<any service>:<region>:<account>`, the prefix of the stack's ARNs."""


class _Actions(NamedTuple):
    """What an alarm notifies when it is raised, and when it is over."""

    raised: list[pulumi.Input[str]]
    over: list[pulumi.Input[str]]

    @classmethod
    def to(cls, topic_arn: pulumi.Output[str]) -> _Actions:
        return cls([topic_arn], [topic_arn])

    @classmethod
    def of(cls, arns: Sequence[str]) -> _Actions:
        # The end of an alarm would open another OpsItem or incident.
        return cls(list(arns), [arn for arn in arns if _service(arn) in {"sns", "lambda"}])


class Alarms(pulumi.ComponentResource):
    """Alarms about what needs an operator, their topic, and their permissions to invoke functions."""

    arns: list[pulumi.Output[str]]
    topic_arn: pulumi.Output[str] | None
    """The topic that was created; `None` if the settings name other actions."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Alarms", name, {}, opts)

        options = args.options
        self.topic_arn = None if options.action_arns else self._topic(name)
        urgent = _Actions.of(options.action_arns) if self.topic_arn is None else _Actions.to(self.topic_arn)
        later = _Actions.of(options.ticket_arns) if options.ticket_arns else urgent
        self._let_call(name, args, sorted({*options.action_arns, *options.ticket_arns}))
        watched = watcher_alarms.of_watcher(args.watcher.name, dead_letters_name=args.watcher.dead_letters_name)
        alarms = {f"{name}-{each.key}": each for each in watched}
        for key, function in args.functions.items():
            alarms |= {f"{name}-{key}-{each.key}": each for each in _of(function, args)}
        self.arns = [
            self._alarm(each, alarm, args, later if alarm.can_wait else urgent) for each, alarm in alarms.items()
        ]
        self.register_outputs({"arns": self.arns})

    def _topic(self, name: str) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(f"{name}-topic", opts=child)
        policy = policies.rendered(policies.alarm_topic, arn=topic.arn)
        aws.sns.TopicPolicy(f"{name}-topic-policy", arn=topic.arn, policy=policy, opts=child)
        return topic.arn

    def _let_call(self, name: str, args: AlarmsArgs, arns: Sequence[str]) -> None:
        """Permit the stack's alarms to invoke the functions among their actions; other accounts' owners have to do so.

        One statement covers all alarms, because one each would soon exceed Lambda's limit of 20 KB for a function's
        policy.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
        """
        functions = [arn for arn in arns if _service(arn) == "lambda"]
        if not functions:
            return
        account = aws.get_caller_identity(opts=pulumi.InvokeOptions(parent=self)).account_id
        here = pulumi.Output.from_input(args.arn_prefix)
        for number, arn in enumerate(each for each in functions if each.split(":")[4] == account):
            aws.lambda_.Permission(
                f"{name}-call-{number}",
                function=":".join(arn.split(":")[:7]),
                qualifier=":".join(arn.split(":")[7:]) or None,
                action="lambda:InvokeFunction",
                principal="lambda.alarms.cloudwatch.amazonaws.com",
                source_account=account,
                source_arn=here.apply(lambda prefix: _alarm_arns(prefix, args.name_prefix)),
                opts=pulumi.ResourceOptions(parent=self),
            )

    def _alarm(self, name: str, alarm: Alarm, args: AlarmsArgs, actions: _Actions) -> pulumi.Output[str]:
        return aws.cloudwatch.MetricAlarm(
            name,
            name=alarm.name,  # fixed, because people read it first when an alarm wakes them
            alarm_description=pulumi.Output.from_input(args.arn_prefix).apply(
                lambda prefix: description(alarm, _place(prefix, args))
            ),
            namespace=alarm.watched.namespace,
            metric_name=alarm.watched.name,
            dimensions=dict(alarm.watched.dimensions),
            statistic=alarm.statistic,
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold,
            period=PERIOD_SECONDS,
            evaluation_periods=alarm.evaluation_periods,
            datapoints_to_alarm=alarm.datapoints_to_alarm,
            treat_missing_data=alarm.missing,
            alarm_actions=actions.raised,
            ok_actions=actions.over,
            opts=pulumi.ResourceOptions(parent=self),
        ).arn


def _of(fallback: FargateFallback, args: AlarmsArgs) -> list[Alarm]:
    options = fallback.options
    return function_alarms.of_function(
        fallback.function.name,
        queue_name=fallback.failures.name,
        watcher_name=args.watcher.name,
        longest_run=options.longest_run,
        longest_wait=options.alarms.longest_wait,
        has_destinations=bool(options.destinations.arns),
        skipped=args.options.skipped,
    )


def _place(arn_prefix: str, args: AlarmsArgs) -> Place:
    _, partition, _, region, *_ = arn_prefix.split(":")
    return Place(
        partition=partition,
        region=region,
        dashboard_name=args.dashboard_name,
        manual_url=args.options.manual_url,
    )


def _alarm_arns(arn_prefix: str, name_prefix: str) -> str:
    _, partition, _, region, account = arn_prefix.split(":")
    return f"arn:{partition}:cloudwatch:{region}:{account}:alarm:{name_prefix}-*"


def _service(arn: str) -> str:
    return arn.split(":")[2]
