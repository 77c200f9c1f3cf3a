"""A program of every type with which tasks and functions are watched, with two forms of whatever can differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeVar

import pulumi
import pulumi_aws as aws

Form = TypeVar("Form")
WATCHING = frozenset(
    {
        "aws:cloudwatch/dashboard:Dashboard",
        "aws:cloudwatch/eventBus:EventBus",
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
        "aws:lambda/permission:Permission",
        "aws:sns/topic:Topic",
        "aws:sns/topicPolicy:TopicPolicy",
    }
)
"""The types that this program is about; all others are in the program of `local/tests/e2e/provider`."""
CODE = "def handler(event, context): pass\n"


@dataclass
class Watching:
    """The program; an object can be called as one."""

    updated: bool = False
    """Everything that AWS can change in place is other."""
    replaced: bool = False
    """What AWS cannot change is other."""
    refused: bool = False
    """A property is given that the provider does not know."""

    def update(self, before: Form, after: Form) -> Form:
        """Choose what changes in place."""
        return after if self.updated else before

    def replace(self, before: Form, after: Form) -> Form:
        """Choose what replaces."""
        return after if self.replaced else before

    def __call__(self) -> None:
        """Declare everything."""
        tags = self.update({"owner": "a", "kept": "1"}, {"owner": "b", "kept": "1", "new": "2"})
        cluster = aws.ecs.Cluster("cluster")
        strategies = aws.ecs.ClusterCapacityProvidersDefaultCapacityProviderStrategyArgs
        aws.ecs.ClusterCapacityProviders(
            "providers",
            cluster_name=cluster.name,
            capacity_providers=["FARGATE_SPOT", "FARGATE"],
            default_capacity_provider_strategies=self.update([], [strategies(capacity_provider="FARGATE", weight=1)]),
        )
        self._ledger()
        self._rules(cluster, self._function(), tags)
        self._alarms(self._topic(tags), tags)

    def _ledger(self) -> None:
        def index(name: str, projection: str) -> aws.dynamodb.TableGlobalSecondaryIndexArgs:
            key = aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(attribute_name=name, key_type="HASH")
            return aws.dynamodb.TableGlobalSecondaryIndexArgs(name=name, key_schemas=[key], projection_type=projection)

        names = self.update(["open"], ["open", "function"])
        aws.dynamodb.Table(
            "runs",
            billing_mode="PAY_PER_REQUEST",
            hash_key="run_key",
            attributes=[aws.dynamodb.TableAttributeArgs(name=name, type="S") for name in ("run_key", *names)],
            global_secondary_indexes=[index(name, self.update("KEYS_ONLY", "ALL")) for name in names],
        )

    def _function(self) -> aws.lambda_.Function:
        principal = {"Service": "lambda.amazonaws.com"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        role = aws.iam.Role("role", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        return aws.lambda_.Function(
            "watcher",
            role=role.arn,
            runtime="python3.13",
            handler="app.handler",
            code=pulumi.AssetArchive({"app.py": pulumi.StringAsset(CODE)}),
        )

    def _rules(self, cluster: aws.ecs.Cluster, function: aws.lambda_.Function, tags: dict[str, str]) -> None:
        stopped = aws.cloudwatch.EventRule(
            "stopped",
            description=self.update("Before", None),
            event_pattern=cluster.arn.apply(
                lambda arn: json.dumps(
                    {
                        "source": ["aws.ecs"],
                        "detail-type": ["ECS Task State Change"],
                        "detail": {"clusterArn": [arn], "lastStatus": self.update(["STOPPED"], ["STOPPED", "RUNNING"])},
                    }
                )
            ),
            tags=tags,
        )
        schedule = aws.cloudwatch.EventRule(
            "schedule",
            name=self.replace("every-few-minutes", "every-some-minutes"),
            schedule_expression=self.update("rate(5 minutes)", "rate(10 minutes)"),
            state=self.update(None, "DISABLED"),
            force_destroy=self.refused or None,
            is_enabled=True if self.refused else None,
        )
        undelivered = aws.sqs.Queue("undelivered")
        dead = aws.cloudwatch.EventTargetDeadLetterConfigArgs(arn=undelivered.arn)
        retry = aws.cloudwatch.EventTargetRetryPolicyArgs(maximum_retry_attempts=self.update(2, 0))
        for name, rule in (("stopped", stopped), ("schedule", schedule)):
            aws.cloudwatch.EventTarget(
                f"{name}-target", rule=rule.name, arn=function.arn, dead_letter_config=dead, retry_policy=retry
            )
            aws.lambda_.Permission(
                f"{name}-permission",
                function=function.name,
                action="lambda:InvokeFunction",
                principal="events.amazonaws.com",
                source_arn=rule.arn,
            )
        bus = aws.cloudwatch.EventBus("bus", description=self.update("Before", "After"), tags=tags)
        everything = aws.cloudwatch.EventRule("everything", event_bus_name=bus.name, event_pattern='{"source": ["s"]}')
        aws.cloudwatch.EventTarget(
            "everything-target",
            rule=everything.name,
            event_bus_name=bus.name,
            target_id="queue",
            arn=undelivered.arn,
            input=self.update('{"a": 1}', None),
        )

    def _topic(self, tags: dict[str, str]) -> aws.sns.Topic:
        topic = aws.sns.Topic("alarms", display_name=self.update("Before", "After"), tags=tags)
        principal = {"Service": "cloudwatch.amazonaws.com"}
        actions = self.update("sns:Publish", ["sns:Publish", "sns:Subscribe"])
        aws.sns.TopicPolicy(
            "alarms-policy",
            arn=topic.arn,
            policy=topic.arn.apply(
                lambda arn: json.dumps(
                    {
                        "Version": "2012-10-17",
                        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": arn}],
                    }
                )
            ),
        )
        return topic

    def _alarms(self, topic: aws.sns.Topic, tags: dict[str, str]) -> None:
        aws.cloudwatch.MetricAlarm(
            "parked",
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": "parking"},
            statistic="Maximum",
            period=60,
            evaluation_periods=self.update(1, 3),
            datapoints_to_alarm=self.update(None, 2),
            comparison_operator="GreaterThanThreshold",
            threshold=self.update(0, 0.5),
            treat_missing_data="notBreaching",
            alarm_actions=[topic.arn],
            alarm_description="Something is parked.",
            tags=tags,
        )
        metric = aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
            metric_name="Errors", namespace="AWS/Lambda", period=60, stat="Sum", dimensions={"FunctionName": "f"}
        )
        query = aws.cloudwatch.MetricAlarmMetricQueryArgs
        aws.cloudwatch.MetricAlarm(
            "math",
            metric_queries=[
                query(id="errors", metric=metric),
                query(id="twice", expression="errors * 2", label="Twice", return_data=True),
            ],
            evaluation_periods=1,
            comparison_operator="GreaterThanThreshold",
            threshold=1,
        )
        text = self.update("before", "after")
        aws.cloudwatch.Dashboard(
            "dashboard",
            dashboard_name=self.replace("watching", "watching-more"),
            dashboard_body=json.dumps({"widgets": [{"type": "text", "properties": {"markdown": text}}]}),
        )
