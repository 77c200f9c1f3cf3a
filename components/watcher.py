"""The Lambda function that looks after all runs of a stack, and what calls it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from components import archives, lambda_archive, metrics, policies
from components.failure_queue import LARGEST_MESSAGE_BYTES, LONGEST_RETENTION_SECONDS
from components.run_ledger import OPEN_INDEX
from components.watcher_rules import WatcherRules, WatcherRulesArgs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.fargate_fallback import FargateFallback
    from components.platform import Platform
    from overtime import settings

TIMEOUT_SECONDS = 300
_MEMORY_MIB = 512
_FUNCTIONS_FILE = "functions.json"
"""In the archive: as a variable the table of a dozen functions would not fit."""


@dataclass(frozen=True, kw_only=True)
class WatcherArgs:
    """What the watcher needs to know."""

    function_name: str
    """Its own name in AWS."""
    functions: Mapping[str, FargateFallback]
    """The functions whose runs it looks after, by key."""
    platform: Platform
    """The cluster and the ledger."""
    retention: settings.Retention
    """How long its log is kept."""


class Watcher(pulumi.ComponentResource):
    """Closes runs whose task died, launches them again where AWS was at fault, and tells their owners."""

    name: str
    dead_letters_name: pulumi.Output[str]
    dead_letters_url: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: WatcherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Watcher", name, {}, opts)

        logs = self._log_group(name, args)
        dead_letters = self._dead_letters(name)
        role, permissions = self._role(name, args, logs, dead_letters)
        function = self._function(name, args, role, dead_letters, [logs, permissions])
        WatcherRules(
            f"{name}-rules",
            WatcherRulesArgs(function=function, dead_letters=dead_letters, cluster_arn=args.platform.cluster_arn),
            pulumi.ResourceOptions(parent=self),
        )

        self.name, self.log_group_name, self.role_arn = args.function_name, logs.name, role.arn
        self.dead_letters_name, self.dead_letters_url = dead_letters.name, dead_letters.url
        self.register_outputs({"dead_letters_url": self.dead_letters_url, "log_group_name": self.log_group_name})

    def _log_group(self, name: str, args: WatcherArgs) -> aws.cloudwatch.LogGroup:
        return aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/lambda/{args.function_name}",
            retention_in_days=args.retention.logs_days,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _dead_letters(self, name: str) -> aws.sqs.Queue:
        return aws.sqs.Queue(
            f"{name}-dead-letters",
            message_retention_seconds=LONGEST_RETENTION_SECONDS,
            max_message_size=LARGEST_MESSAGE_BYTES,
            sqs_managed_sse_enabled=True,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _role(
        self, name: str, args: WatcherArgs, logs: aws.cloudwatch.LogGroup, dead_letters: aws.sqs.Queue
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        child, ledger = pulumi.ResourceOptions(parent=self), args.platform.ledger
        role = aws.iam.Role(
            f"{name}-role",
            description=f"Watcher {args.function_name}",
            assume_role_policy=json.dumps(policies.function_trust()),
            opts=child,
        )
        destinations = [each.options.destinations for each in args.functions.values()]
        document = policies.rendered(
            policies.watcher,
            log_group_arn=logs.arn,
            dead_letters_arn=dead_letters.arn,
            queue_arns=[each.failures.arn for each in args.functions.values()],
            table_arn=ledger.table_arn,
            open_index_arn=pulumi.Output.concat(ledger.table_arn, "/index/", OPEN_INDEX),
            bucket_arn=ledger.bucket_arn,
            cluster_arn=args.platform.cluster_arn,
            destination_arns=[arn for each in destinations for arn in each.arns],
            destination_key_arns=[arn for each in destinations for arn in each.kms_key_arns],
        )
        return role, aws.iam.RolePolicy(f"{name}-permissions", role=role.name, policy=document, opts=child)

    def _function(
        self,
        name: str,
        args: WatcherArgs,
        role: aws.iam.Role,
        dead_letters: aws.sqs.Queue,
        first: list[pulumi.Resource],
    ) -> aws.lambda_.Function:
        ledger = args.platform.ledger
        files = lambda_archive.members(metrics.WATCHER)
        table = pulumi.Output.json_dumps(functions_table(args.functions.values()), sort_keys=True)
        variables: dict[str, pulumi.Input[str]] = {
            "OVERTIME_LEDGER_TABLE": ledger.table_name,
            "OVERTIME_LEDGER_BUCKET": ledger.bucket_name,
            "OVERTIME_OPEN_INDEX": OPEN_INDEX,
            "OVERTIME_CLUSTER_ARN": args.platform.cluster_arn,
            "OVERTIME_FUNCTIONS_FILE": _FUNCTIONS_FILE,
            **metrics.emitted_by(metrics.WATCHER),
        }
        return aws.lambda_.Function(
            f"{name}-function",
            name=args.function_name,
            role=role.arn,
            code=table.apply(lambda text: archives.of_files(files, {_FUNCTIONS_FILE: text})),
            handler="lambdas.watcher.handler.handler",
            runtime="python3.13",
            architectures=["x86_64"],
            timeout=TIMEOUT_SECONDS,
            memory_size=_MEMORY_MIB,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=variables),
            dead_letter_config=aws.lambda_.FunctionDeadLetterConfigArgs(target_arn=dead_letters.arn),
            opts=pulumi.ResourceOptions(parent=self, depends_on=first),
        )


def functions_table(functions: Iterable[FargateFallback]) -> dict[str, dict[str, pulumi.Input[str] | int]]:
    """Tell what the watcher has to know of each function, by its name in AWS; `lambdas/watcher/config.py` reads it."""
    table: dict[str, dict[str, pulumi.Input[str] | int]] = {}
    for each in functions:
        options, told = each.options, each.options.destinations
        table[each.function.name] = {
            "function_arn": each.function.arn,
            "queue_url": each.failures.url,
            "lambda_attempts": options.attempts,
            "max_task_attempts": options.max_task_attempts,
            **({"on_success": told.on_success} if told.on_success else {}),
            **({"on_failure": told.on_failure} if told.on_failure else {}),
        }
    return table
