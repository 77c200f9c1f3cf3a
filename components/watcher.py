"""The Lambda function that monitors all runs of a stack, its dead-letter queue, and its triggers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from overtime.components import policies
from overtime.components.documents import written_later
from overtime.components.failure_queue import LARGEST_MESSAGE_BYTES
from overtime.components.functions_table import functions_table
from overtime.components.own_function import OwnFunctionArgs, own_function
from overtime.components.watcher_grants import shared_out
from overtime.components.watcher_rules import CLOCK_SECONDS, WatcherRules, WatcherRulesArgs
from overtime.contract import metrics, runs, variables
from overtime.contract.functions_table import FILE
from overtime.contract.limits import LONGEST_MESSAGE_LIFE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime import settings
    from overtime.components.fargate_fallback import FargateFallback
    from overtime.components.platform import Platform
    from overtime.components.watcher_grants import WiredGrant

TIMEOUT_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class WatcherArgs:
    """Arguments of `Watcher`."""

    function_name: str
    """Its own name in AWS."""
    functions: Mapping[str, FargateFallback]
    """The functions whose runs it monitors, by key."""
    platform: Platform
    """The cluster and the ledger."""
    retention: settings.Retention
    """How long its log is kept."""


class Watcher(pulumi.ComponentResource):
    """Records the outcome of runs whose task died, relaunches those that AWS interrupted, and notifies destinations."""

    name: str
    dead_letters_name: pulumi.Output[str]
    dead_letters_url: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: WatcherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Watcher", name, {}, opts)

        dead_letters = self._dead_letters(name)
        first, *others = self._grants(args)
        own = OwnFunctionArgs(
            part=metrics.Service.WATCHER,
            function_name=args.function_name,
            role_description=f"Watcher {args.function_name}",
            logs_days=args.retention.logs_days,
            permissions=lambda log_group_arn: self._permissions(args, log_group_arn, first),
            more_permissions=[policies.rendered(policies.sending, grants=grants) for grants in others],
            timeout_seconds=TIMEOUT_SECONDS,
            variables=self._environment(args),
            file=(FILE, written_later(functions_table(args.functions.values()))),
        )
        function, role, logs = own_function(name, own, self)
        self._one_try(name, function)
        WatcherRules(
            f"{name}-rules",
            WatcherRulesArgs(function=function, dead_letters=dead_letters, cluster_arn=args.platform.cluster_arn),
            pulumi.ResourceOptions(parent=self),
        )

        self.name, self.log_group_name, self.role_arn = args.function_name, logs.name, role.arn
        self.dead_letters_name, self.dead_letters_url = dead_letters.name, dead_letters.url
        self.register_outputs({"dead_letters_url": self.dead_letters_url, "log_group_name": self.log_group_name})

    def _one_try(self, name: str, function: aws.lambda_.Function) -> None:
        # The next scheduled call catches up, whatever failed. A retry, or a queue of failed calls, would only make the
        # alarm last longer than the failure.
        aws.lambda_.FunctionEventInvokeConfig(
            f"{name}-one-try",
            function_name=function.name,
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=CLOCK_SECONDS,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _dead_letters(self, name: str) -> aws.sqs.Queue:
        return aws.sqs.Queue(
            f"{name}-dead-letters",
            message_retention_seconds=LONGEST_MESSAGE_LIFE_SECONDS,
            max_message_size=LARGEST_MESSAGE_BYTES,
            sqs_managed_sse_enabled=True,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _grants(self, args: WatcherArgs) -> list[list[WiredGrant]]:
        destinations = [each.options.destinations for each in args.functions.values()]
        return shared_out(
            [each.failures.arn for each in args.functions.values()],
            parking_arns=[each.failures.parking_arn for each in args.functions.values()],
            destination_arns=sorted({arn for each in destinations for arn in each.arns}),
            key_arns=sorted({arn for each in destinations for arn in each.kms_key_arns}),
        )

    def _permissions(
        self,
        args: WatcherArgs,
        log_group_arn: pulumi.Output[str],
        grants: list[WiredGrant],
    ) -> pulumi.Output[str]:
        ledger = args.platform.ledger
        return policies.rendered(
            policies.watcher,
            log_group_arn=log_group_arn,
            table_arn=ledger.table_arn,
            open_index_arn=pulumi.Output.concat(ledger.table_arn, "/index/", runs.OPEN),
            bucket_arn=ledger.bucket_arn,
            cluster_arn=args.platform.cluster_arn,
            reads_payloads=any(each.options.destinations.arns for each in args.functions.values()),
            grants=grants,
        )

    def _environment(self, args: WatcherArgs) -> dict[str, pulumi.Input[str]]:
        ledger = args.platform.ledger
        return {
            variables.LEDGER_TABLE: ledger.table_name,
            variables.LEDGER_BUCKET: ledger.bucket_name,
            variables.OPEN_INDEX: runs.OPEN,
            variables.CLUSTER_ARN: args.platform.cluster_arn,
            variables.FUNCTIONS_FILE: FILE,
        }
