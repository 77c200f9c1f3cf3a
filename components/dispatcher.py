"""The Lambda function that turns a function's failure records into runs and starts their tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from overtime.components import policies
from overtime.components.documents import written_later
from overtime.components.own_function import OwnFunctionArgs, own_function
from overtime.contract import metrics, variables
from overtime.contract.rescue import NOTHING
from overtime.settings.names import DISPATCHER_SUFFIX

if TYPE_CHECKING:
    from overtime import settings
    from overtime.components.failure_queue import FailureQueue
    from overtime.components.platform import Platform
    from overtime.components.primary import Primary
    from overtime.components.runner_task import RunnerTask

TIMEOUT_SECONDS = 60
_BATCH_SIZE = 10
_MOST_AT_ONCE = 5
"""ECS starts 20 tasks per second, so more concurrent dispatchers would only be throttled."""


@dataclass(frozen=True, kw_only=True)
class DispatcherArgs:
    """Arguments of `Dispatcher`."""

    function: Primary
    """The function whose failure records it processes."""
    options: settings.Function
    """The function's settings."""
    failures: FailureQueue
    """The failure queue, from which it receives records, and the parking queue for those that are not handed over."""
    task: RunnerTask
    """The task that it starts."""
    platform: Platform
    """The cluster and network in which it starts tasks, and the ledger."""
    retention: settings.Retention
    """How long runs and its own log are kept."""


class Dispatcher(pulumi.ComponentResource):
    """Records failed invocations as runs and starts their tasks; its role cannot access other functions' resources."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: DispatcherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Dispatcher", name, {}, opts)

        own = OwnFunctionArgs(
            part=metrics.Service.DISPATCHER,
            function_name=f"{args.function.name}{DISPATCHER_SUFFIX}",
            role_description=f"Dispatcher of {args.function.name}",
            logs_days=args.retention.logs_days,
            permissions=lambda log_group_arn: self._permissions(args, log_group_arn),
            timeout_seconds=TIMEOUT_SECONDS,
            variables=self._environment(args),
        )
        function = own_function(name, own, self).function
        recursion = self._recursion(name, function)
        self._source(name, args, function, [args.task, recursion])

        self.name = function.name
        self.register_outputs({"name": self.name})

    def _permissions(self, args: DispatcherArgs, log_group_arn: pulumi.Output[str]) -> pulumi.Output[str]:
        platform, failures = args.platform, args.failures
        return policies.rendered(
            policies.dispatcher,
            function_name=args.function.name,
            log_group_arn=log_group_arn,
            queue_arn=failures.arn,
            parking_arn=failures.parking_arn,
            table_arn=platform.ledger.table_arn,
            bucket_arn=platform.ledger.bucket_arn,
            cluster_arn=platform.cluster_arn,
            family_arn=pulumi.Output.concat(platform.ecs_arn_prefix, ":task-definition/", args.task.family),
            role_arns=[args.function.role_arn, args.task.execution_role_arn],
        )

    def _environment(self, args: DispatcherArgs) -> dict[str, pulumi.Input[str]]:
        platform, options = args.platform, args.options
        most = options.max_concurrent_runs
        return {
            variables.FUNCTION_NAME: args.function.name,
            variables.FUNCTION_ARN: args.function.arn,
            variables.LEDGER_TABLE: platform.ledger.table_name,
            variables.LEDGER_BUCKET: platform.ledger.bucket_name,
            variables.RUNS_DAYS: str(args.retention.runs_days),
            variables.RUN_TASK: self._run_task(args),
            variables.RESCUE: ",".join(options.rescue) if options.enabled else NOTHING,
            variables.ATTEMPTS: str(options.attempts),
            variables.CAPACITY: options.task.capacity,
            **({} if most is None else {variables.MAX_CONCURRENT_RUNS: str(most)}),
            variables.QUEUE_URL: args.failures.url,
            variables.PARKING_QUEUE_URL: args.failures.parking_url,
            variables.MAX_RECEIVE_COUNT: str(options.max_receive_count),
        }

    def _run_task(self, args: DispatcherArgs) -> pulumi.Output[str]:
        """Return the RunTask parameters that are the same for all runs; the dispatcher adds those of each run."""
        return written_later(
            {
                "cluster": args.platform.cluster_arn,
                # Without a revision, so ECS uses the newest, and a new task definition does not change the dispatcher.
                "taskDefinition": args.task.family,
                # The account's bill distinguishes functions by the tags of their task definitions.
                "propagateTags": "TASK_DEFINITION",
                "enableECSManagedTags": True,
                "networkConfiguration": {"awsvpcConfiguration": self._network(args)},
            }
        )

    def _network(self, args: DispatcherArgs) -> dict[str, object]:
        """Return where tasks run: in the function's VPC, if it is attached to one, otherwise in the stack's network."""
        vpc, network = args.function.vpc, args.platform.network
        if vpc.subnet_ids:
            # As on Lambda, where a function in a VPC has no public address, whatever the subnets.
            found = {"subnets": list(vpc.subnet_ids), "securityGroups": list(vpc.security_group_ids)}
            return {**found, "assignPublicIp": "DISABLED"}
        return {
            "subnets": network.subnet_ids,
            "securityGroups": network.security_group_ids,
            "assignPublicIp": "ENABLED" if network.public_ip else "DISABLED",
        }

    def _recursion(self, name: str, function: aws.lambda_.Function) -> aws.lambda_.FunctionRecursionConfig:
        # A deferred record goes back to the queue it came from. Lambda would stop this loop after about 16 turns. It
        # is bounded: a run fails after 14 days of waiting, and a stale record sends no other, so each run has only one
        # chain of records. https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
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
            # If reserved concurrency limited it instead, each throttled record would spend a receive, and be parked.
            scaling_config=aws.lambda_.EventSourceMappingScalingConfigArgs(maximum_concurrency=_MOST_AT_ONCE),
            # Created last and deleted first, so that a record never meets an incomplete fallback.
            opts=pulumi.ResourceOptions(parent=self, depends_on=first),
        )
