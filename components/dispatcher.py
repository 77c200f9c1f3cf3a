"""The Lambda function that takes failure records from the queue and starts a task for each run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from components import archives, lambda_archive, metrics, policies
from components.runner_task import CONTAINER_NAME
from overtime.settings.names import DISPATCHER_SUFFIX

if TYPE_CHECKING:
    from components.failure_queue import FailureQueue
    from components.platform import Platform
    from components.primary_function import PrimaryFunction
    from components.runner_task import RunnerTask
    from overtime import settings

TIMEOUT_SECONDS = 60
_MEMORY_MIB = 512  # of it depends the cpu, and with it how long the libraries take to load
_BATCH_SIZE = 10
_MOST_AT_ONCE = 5
"""ECS starts 20 tasks a second; more dispatchers at once would only be throttled."""


@dataclass(frozen=True, kw_only=True)
class DispatcherArgs:
    """What the dispatcher needs to know."""

    function: PrimaryFunction
    """The function whose failures it takes."""
    options: settings.Function
    """The function's settings."""
    failures: FailureQueue
    """Where the failure records come from, and where those that are not rescued go."""
    task: RunnerTask
    """What it starts."""
    platform: Platform
    """Where it starts it, and the ledger."""
    retention: settings.Retention
    """How long runs and its own log are kept."""


class Dispatcher(pulumi.ComponentResource):
    """Records each failed invocation as a run and starts its task; it may touch nothing of other functions."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: DispatcherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Dispatcher", name, {}, opts)
        # Forced, because the log group has to be there, with its retention, before the first invocation makes one.
        function_name = f"{args.function.name}{DISPATCHER_SUFFIX}"

        logs = self._log_group(name, function_name, args)
        role, permissions = self._role(name, args, logs)
        function = self._function(name, function_name, args, role, [logs, permissions])
        recursion = self._recursion(name, function)
        self._source(name, args, function, [args.task, recursion])

        self.name = function.name
        self.register_outputs({"name": self.name})

    def _log_group(self, name: str, function_name: str, args: DispatcherArgs) -> aws.cloudwatch.LogGroup:
        return aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/lambda/{function_name}",
            retention_in_days=args.retention.logs_days,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _role(
        self, name: str, args: DispatcherArgs, logs: aws.cloudwatch.LogGroup
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        child = pulumi.ResourceOptions(parent=self)
        platform, failures = args.platform, args.failures
        role = aws.iam.Role(
            f"{name}-role",
            description=f"Dispatcher of {args.function.name}",
            assume_role_policy=json.dumps(policies.function_trust()),
            opts=child,
        )
        document = policies.rendered(
            policies.dispatcher,
            function_name=args.function.name,
            log_group_arn=logs.arn,
            queue_arn=failures.arn,
            parking_arn=failures.parking_arn,
            table_arn=platform.ledger.table_arn,
            bucket_arn=platform.ledger.bucket_arn,
            cluster_arn=platform.cluster_arn,
            family_arn=pulumi.Output.concat(platform.ecs_arn_prefix, ":task-definition/", args.task.family),
            role_arns=[args.function.role_arn, args.task.execution_role_arn],
        )
        return role, aws.iam.RolePolicy(f"{name}-permissions", role=role.name, policy=document, opts=child)

    def _function(
        self, name: str, function_name: str, args: DispatcherArgs, role: aws.iam.Role, first: list[pulumi.Resource]
    ) -> aws.lambda_.Function:
        return aws.lambda_.Function(
            f"{name}-function",
            name=function_name,
            role=role.arn,
            code=archives.of_files(lambda_archive.members(metrics.DISPATCHER)),
            handler="lambdas.dispatcher.handler.handler",
            runtime="python3.13",
            architectures=["x86_64"],
            timeout=TIMEOUT_SECONDS,
            memory_size=_MEMORY_MIB,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=self._environment(args)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=first),
        )

    def _environment(self, args: DispatcherArgs) -> dict[str, pulumi.Input[str]]:
        platform, options = args.platform, args.options
        most = options.max_concurrent_runs
        return {
            "OVERTIME_FUNCTION_NAME": args.function.name,
            "OVERTIME_FUNCTION_ARN": args.function.arn,
            "OVERTIME_LEDGER_TABLE": platform.ledger.table_name,
            "OVERTIME_LEDGER_BUCKET": platform.ledger.bucket_name,
            "OVERTIME_RUNS_DAYS": str(args.retention.runs_days),
            "OVERTIME_CLUSTER_ARN": platform.cluster_arn,
            "OVERTIME_TASK_FAMILY": args.task.family,
            "OVERTIME_CONTAINER_NAME": CONTAINER_NAME,
            "OVERTIME_SUBNET_IDS": platform.network.subnet_ids.apply(",".join),
            "OVERTIME_SECURITY_GROUP_IDS": platform.network.security_group_ids.apply(",".join),
            "OVERTIME_ASSIGN_PUBLIC_IP": "ENABLED" if platform.network.public_ip else "DISABLED",
            "OVERTIME_RESCUE": ",".join(options.rescue),
            "OVERTIME_ATTEMPTS": str(options.attempts),
            "OVERTIME_CAPACITY": options.task.capacity,
            **({} if most is None else {"OVERTIME_MAX_CONCURRENT_RUNS": str(most)}),
            "OVERTIME_QUEUE_URL": args.failures.url,
            "OVERTIME_PARKING_QUEUE_URL": args.failures.parking_url,
            "OVERTIME_MAX_RECEIVE_COUNT": str(options.max_receive_count),
            **metrics.emitted_by(metrics.DISPATCHER),
        }

    def _recursion(self, name: str, function: aws.lambda_.Function) -> aws.lambda_.FunctionRecursionConfig:
        # A record that waits is sent to the queue that it came from, and Lambda stops a function after about 16 such
        # turns unless it is told that they are meant. They end: a run is given up after 14 days, and a record whose
        # turn the ledger has passed goes no further, so each run has one chain of them.
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        return aws.lambda_.FunctionRecursionConfig(
            f"{name}-recursion",
            function_name=function.name,
            recursive_loop="Allow",
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _source(
        self, name: str, args: DispatcherArgs, function: aws.lambda_.Function, first: list[pulumi.Resource]
    ) -> None:
        aws.lambda_.EventSourceMapping(
            f"{name}-source",
            event_source_arn=args.failures.arn,
            function_name=function.name,
            batch_size=_BATCH_SIZE,
            function_response_types=["ReportBatchItemFailures"],
            # Throttled by reserved concurrency instead, records would count as received and be parked unread.
            scaling_config=aws.lambda_.EventSourceMappingScalingConfigArgs(maximum_concurrency=_MOST_AT_ONCE),
            # No record is taken before a task can start and do its work; on the way down this goes first.
            opts=pulumi.ResourceOptions(parent=self, depends_on=first),
        )
