"""The program of a stack. `__main__.py` runs it for the Pulumi command line, `overtime.automation` from Python code."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from overtime.components.alarms import Alarms, AlarmsArgs
from overtime.components.archives import SOURCES
from overtime.components.code_store import CodeStore
from overtime.components.dashboard import Dashboard, DashboardArgs
from overtime.components.dispatcher import TIMEOUT_SECONDS
from overtime.components.failure_queue import FailureQueue, FailureQueueArgs
from overtime.components.fargate_fallback import FargateFallback, FargateFallbackArgs
from overtime.components.platform import Platform, PlatformArgs
from overtime.components.primary_function import PrimaryFunction, PrimaryFunctionArgs
from overtime.components.watcher import Watcher, WatcherArgs
from overtime.contract.capacity import Capacity
from overtime.deployed import deployed
from overtime.notices import network_output, notices, protected, refuse
from overtime.routes import route_notices
from overtime.settings import verify
from overtime.settings.code import fits_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.deployed import Deployed
    from overtime.settings import Settings, StackContext

Outputs = dict[str, object]


def build(settings: Settings, context: StackContext, *, sources: str = str(SOURCES)) -> Outputs:
    """Declare every resource of the stack, and return its outputs. Raise `OvertimeError` for what users can fix.

    `sources` is `archives.SOURCES` relative to the engine's working folder, or absolute.
    """
    _verify_region(settings, context)
    if settings.tags:
        pulumi.runtime.register_stack_transformation(_tagged(settings.tags))

    there = deployed(context)
    _tell(settings, there)
    platform = _platform(settings, sources)
    large = {key for key, each in settings.functions.items() if not fits_request(context.root / each.code)}
    store = CodeStore("overtime-code", pulumi.ResourceOptions(parent=platform)) if large else None
    functions = {
        key: _function(key, settings, context, platform, there, store if key in large else None)
        for key in settings.functions
    }
    watcher = _watcher(settings, context, platform, functions)
    alarms = _alarms(settings, context, platform, functions, watcher) if settings.alarms.enabled else None
    dashboard = _dashboard(context, platform, functions, watcher, alarms) if settings.dashboard.enabled else None
    return {
        "functions": {
            key: {
                **_function_outputs(function),
                "enabled": settings.functions[key].enabled,
                "protected": protected(key, settings, there),
            }
            for key, function in functions.items()
        },
        "network": network_output(settings),
        "cluster_arn": platform.cluster_arn,
        "ledger_table": platform.ledger.table_name,
        "ledger_bucket": platform.ledger.bucket_name,
        "image_uris": {"/".join(key): uri for key, uri in platform.image_uris.items()},
        "watcher": _watcher_outputs(watcher),
        "watcher_role_arn": watcher.role_arn,
        **({"alarm_topic_arn": alarms.topic_arn} if alarms and alarms.topic_arn else {}),
        **({"dashboard_name": dashboard.name} if dashboard else {}),
    }


def _verify_region(settings: Settings, context: StackContext) -> None:
    """Check the rules on regions with the provider's region, if the configuration does not name one."""
    if context.region is None:
        verify(settings, replace(context, region=aws.get_region().region))


def _tell(settings: Settings, there: Deployed) -> None:
    refuse(settings, there)
    for each in (*notices(settings, there, datetime.now(tz=UTC).date()), *route_notices(settings)):
        (pulumi.log.warn if each.severity == "warning" else pulumi.log.info)(each.text)


def _platform(settings: Settings, sources: str) -> Platform:
    return Platform(
        "overtime",
        PlatformArgs(
            network=settings.network,
            retention=settings.retention,
            container_insights=settings.cluster.container_insights,
            spot=any(each.task.capacity is Capacity.SPOT for each in settings.functions.values()),
            base_images={
                (each.runtime, each.architecture): settings.image.base_of(each.runtime)
                for each in settings.functions.values()
            },
            python_image=settings.image.python_image,
            sources=sources,
        ),
    )


def _function(  # noqa: PLR0913, PLR0917 -- what a function is made of
    key: str,
    settings: Settings,
    context: StackContext,
    platform: Platform,
    there: Deployed,
    code_store: CodeStore | None,
) -> FargateFallback:
    options = settings.functions[key]
    failures = FailureQueue(
        key,
        FailureQueueArgs(
            consumer_timeout_seconds=TIMEOUT_SECONDS,
            max_receive_count=options.max_receive_count,
            protect=protected(key, settings, there),
        ),
    )
    function = PrimaryFunction(
        key,
        PrimaryFunctionArgs(
            function_name=context.function_name(key),
            options=options,
            root=context.root,
            logs_days=settings.retention.logs_days,
            failure_queue_arn=failures.arn,
            code_store=code_store,
            ecs_arn_prefix=platform.ecs_arn_prefix,
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


def _watcher(
    settings: Settings, context: StackContext, platform: Platform, functions: Mapping[str, FargateFallback]
) -> Watcher:
    return Watcher(
        "overtime-watcher",
        WatcherArgs(
            function_name=context.watcher_name, functions=functions, platform=platform, retention=settings.retention
        ),
        pulumi.ResourceOptions(parent=platform),
    )


def _alarms(
    settings: Settings,
    context: StackContext,
    platform: Platform,
    functions: Mapping[str, FargateFallback],
    watcher: Watcher,
) -> Alarms:
    return Alarms(
        "overtime-alarms",
        AlarmsArgs(
            functions=functions,
            watcher=watcher,
            options=settings.alarms,
            name_prefix=context.dashboard_name,
            dashboard_name=context.dashboard_name if settings.dashboard.enabled else None,
            arn_prefix=platform.ecs_arn_prefix,
        ),
        pulumi.ResourceOptions(parent=platform),
    )


def _dashboard(
    context: StackContext,
    platform: Platform,
    functions: Mapping[str, FargateFallback],
    watcher: Watcher,
    alarms: Alarms | None,
) -> Dashboard:
    return Dashboard(
        "overtime-dashboard",
        DashboardArgs(
            dashboard_name=context.dashboard_name,
            region=platform.region,
            functions=functions,
            watcher=watcher,
            alarm_arns=alarms.arns if alarms else [],
        ),
        pulumi.ResourceOptions(parent=platform),
    )


def _function_outputs(fallback: FargateFallback) -> Outputs:
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


def _watcher_outputs(watcher: Watcher) -> Outputs:
    return {"name": watcher.name, "dead_letters_url": watcher.dead_letters_url, "log_group": watcher.log_group_name}


def _tagged(tags: Mapping[str, str]) -> pulumi.ResourceTransformation:
    def transform(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        of_aws = args.type_.startswith(("aws:", "awsx:"))  # the tags of an image are its names
        if not of_aws or not isinstance(args.props, dict) or "tags" not in args.props:
            return None
        return pulumi.ResourceTransformationResult(
            {**args.props, "tags": {**tags, **(args.props["tags"] or {})}}, args.opts
        )

    return transform
