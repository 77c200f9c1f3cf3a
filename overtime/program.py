"""The program of a stack: `__main__.py` runs it for the Pulumi command line, `overtime.automation` elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from components.alarms import Alarms, AlarmsArgs
from components.archives import SOURCES
from components.dashboard import Dashboard, DashboardArgs
from components.dispatcher import TIMEOUT_SECONDS
from components.failure_queue import FailureQueue, FailureQueueArgs
from components.fargate_fallback import FargateFallback, FargateFallbackArgs
from components.platform import Platform, PlatformArgs
from components.primary_function import PrimaryFunction, PrimaryFunctionArgs
from components.watcher import Watcher, WatcherArgs
from overtime.settings import verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.settings import Settings, StackContext

Outputs = dict[str, object]


def build(settings: Settings, context: StackContext, *, sources: str = str(SOURCES)) -> Outputs:
    """Declare every resource of the stack, and give what it exports.

    `sources` is the folder that holds `runner/`, as the engine finds it. An engine that works in this very folder is
    given `.`, so that stacks which several computers update do not store, and compare, where each has its clone.
    """
    if context.region is None and any(each.destinations.arns for each in settings.functions.values()):
        # From a profile or a variable: what has to be in the stack's region could not be checked before.
        verify(settings, replace(context, region=aws.get_region().region))
    if settings.tags:
        pulumi.runtime.register_stack_transformation(_tagged(settings.tags))

    platform = Platform(
        "overtime",
        PlatformArgs(
            network=settings.network,
            retention=settings.retention,
            container_insights=settings.cluster.container_insights,
            base_images={
                (each.runtime, each.architecture): settings.image.base_of(each.runtime)
                for each in settings.functions.values()
            },
            sources=sources,
        ),
    )
    functions = {key: _function(key, settings, context, platform) for key in settings.functions}
    return {
        "functions": {key: _told(function) for key, function in functions.items()},
        "cluster_arn": platform.cluster_arn,
        "ledger_table": platform.ledger.table_name,
        "ledger_bucket": platform.ledger.bucket_name,
        "image_uris": {"/".join(key): uri for key, uri in platform.image_uris.items()},
        **_watched(settings, context, platform, functions),
    }


def _function(key: str, settings: Settings, context: StackContext, platform: Platform) -> FargateFallback:
    options = settings.functions[key]
    failures = FailureQueue(
        key, FailureQueueArgs(consumer_timeout_seconds=TIMEOUT_SECONDS, max_receive_count=options.max_receive_count)
    )
    function = PrimaryFunction(
        key,
        PrimaryFunctionArgs(
            function_name=context.function_name(key),
            function=options,
            root=context.root,
            logs_days=settings.retention.logs_days,
            failure_queue_arn=failures.arn,
        ),
    )
    return FargateFallback(
        key,
        FargateFallbackArgs(
            function=function,
            failures=failures,
            options=options,
            platform=platform,
            retention=settings.retention,
        ),
    )


def _told(fallback: FargateFallback) -> Outputs:
    return {
        "name": fallback.function.name,
        "arn": fallback.function.arn,
        "queue_url": fallback.failures.url,
        "queue_arn": fallback.failures.arn,
        "parking_queue_url": fallback.failures.parking_url,
        "parking_queue_arn": fallback.failures.parking_arn,
        "task_family": fallback.task_family,
        "dispatcher_name": fallback.dispatcher_name,
        "log_group": fallback.function.log_group_name,
    }


def _watched(
    settings: Settings, context: StackContext, platform: Platform, functions: Mapping[str, FargateFallback]
) -> Outputs:
    child = pulumi.ResourceOptions(parent=platform)
    watcher = Watcher(
        "overtime-watcher",
        WatcherArgs(
            function_name=context.watcher_name, functions=functions, platform=platform, retention=settings.retention
        ),
        child,
    )
    told: Outputs = {
        "watcher": {
            "name": watcher.name,
            "dead_letters_url": watcher.dead_letters_url,
            "log_group": watcher.log_group_name,
        }
    }
    alarm_arns: list[pulumi.Output[str]] = []
    if settings.alarms.enabled:
        args = AlarmsArgs(functions=functions, watcher=watcher, action_arns=settings.alarms.action_arns)
        alarms = Alarms("overtime-alarms", args, child)
        alarm_arns = alarms.arns
        told |= {"alarm_topic_arn": alarms.topic_arn} if alarms.topic_arn else {}
    if settings.dashboard.enabled:
        dashboard = Dashboard(
            "overtime-dashboard",
            DashboardArgs(
                dashboard_name=context.dashboard_name,
                region=platform.region,
                functions=functions,
                watcher=watcher,
                alarm_arns=alarm_arns,
            ),
            child,
        )
        told["dashboard_name"] = dashboard.name
    return told


def _tagged(tags: Mapping[str, str]) -> pulumi.ResourceTransformation:
    def transform(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not isinstance(args.props, dict) or "tags" not in args.props:  # a resource that takes none
            return None
        return pulumi.ResourceTransformationResult(
            {**args.props, "tags": {**tags, **(args.props["tags"] or {})}}, args.opts
        )

    return transform
