"""The rules that invoke the watcher: for every stopped task of the cluster, and on a schedule."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from overtime.components import policies
from overtime.components.documents import written

CLOCK_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class WatcherRulesArgs:
    """Arguments of `WatcherRules`."""

    function: aws.lambda_.Function
    """The watcher."""
    dead_letters: aws.sqs.Queue
    """The queue for events about stopped tasks that cannot be delivered to the watcher."""
    cluster_arn: pulumi.Input[str]
    """The cluster whose tasks it monitors."""


class WatcherRules(pulumi.ComponentResource):
    """The rules and their targets; only these rules may invoke the watcher or send to its dead-letter queue."""

    def __init__(self, name: str, args: WatcherRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:WatcherRules", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)

        pattern = pulumi.Output.from_input(args.cluster_arn).apply(lambda arn: written(stopped_task(arn)))
        stopped = aws.cloudwatch.EventRule(
            f"{name}-stopped", description="A task of the cluster stopped", event_pattern=pattern, opts=child
        )
        clock = aws.cloudwatch.EventRule(
            f"{name}-clock",
            description="Schedule of the ledger's reconciliation",
            schedule_expression=f"rate({CLOCK_SECONDS // 60} minutes)",
            opts=child,
        )
        policy = aws.sqs.QueuePolicy(
            f"{name}-dead-letters",
            queue_url=args.dead_letters.url,
            policy=policies.rendered(policies.dead_letters, arn=args.dead_letters.arn, rule_arns=[stopped.arn]),
            opts=child,
        )
        self._call(f"{name}-stopped", stopped, args, kept_after=policy)
        self._call(f"{name}-clock", clock, args)
        self.register_outputs({"stopped": stopped.name, "clock": clock.name})

    def _call(
        self,
        name: str,
        rule: aws.cloudwatch.EventRule,
        args: WatcherRulesArgs,
        *,
        kept_after: aws.sqs.QueuePolicy | None = None,
    ) -> None:
        """Make the watcher the target of a rule.

        With `kept_after`, the policy of the dead-letter queue, undeliverable events are sent to that queue.
        """
        permission = aws.lambda_.Permission(
            f"{name}-permission",
            function=args.function.name,
            action="lambda:InvokeFunction",
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            f"{name}-target",
            rule=rule.name,
            arn=args.function.arn,
            # The next scheduled call makes up for one that fails, so it is neither retried nor kept.
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(arn=args.dead_letters.arn)
            if kept_after
            else None,
            retry_policy=None
            if kept_after
            else aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_retry_attempts=0, maximum_event_age_in_seconds=CLOCK_SECONDS
            ),
            # Before the first event, the rule needs permission to invoke the watcher and to send dead letters.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission, *([kept_after] if kept_after else [])]),
        )


def stopped_task(cluster_arn: str) -> dict[str, object]:
    """Return the pattern of events about stopped tasks of this cluster."""
    return {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [cluster_arn], "lastStatus": ["STOPPED"]},
    }
