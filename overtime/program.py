"""The program of a stack: `__main__.py` runs it for the Pulumi command line, `overtime.automation` elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.archives import SOURCES
from components.dispatcher import TIMEOUT_SECONDS
from components.failure_queue import FailureQueue, FailureQueueArgs
from components.fargate_fallback import FargateFallback, FargateFallbackArgs
from components.platform import Platform, PlatformArgs
from components.primary_function import PrimaryFunction, PrimaryFunctionArgs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.settings import Place, Settings

Outputs = dict[str, object]


def build(settings: Settings, place: Place, *, sources: str = str(SOURCES)) -> Outputs:
    """Declare every resource of the stack, and give what it exports.

    `sources` is the folder that holds `runner/`, as the engine finds it. An engine that works in this very folder is
    given `.`, so that stacks which several computers update do not store, and compare, where each has its clone.
    """
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
    return {
        "functions": {key: _function(key, settings, place, platform) for key in settings.functions},
        "cluster_arn": platform.cluster_arn,
        "ledger_table": platform.ledger.table_name,
        "ledger_bucket": platform.ledger.bucket_name,
        "image_uris": {"/".join(key): uri for key, uri in platform.image_uris.items()},
    }


def _function(key: str, settings: Settings, place: Place, platform: Platform) -> Outputs:
    options = settings.functions[key]
    failures = FailureQueue(
        key, FailureQueueArgs(consumer_timeout_seconds=TIMEOUT_SECONDS, max_receive_count=options.max_receive_count)
    )
    function = PrimaryFunction(
        key,
        PrimaryFunctionArgs(
            function_name=place.function_name(key),
            function=options,
            root=place.root,
            logs_days=settings.retention.logs_days,
            failure_queue_arn=failures.arn,
        ),
    )
    fallback = FargateFallback(
        key,
        FargateFallbackArgs(
            function=function,
            failures=failures,
            options=options,
            platform=platform,
            retention=settings.retention,
        ),
    )
    return {
        "name": function.name,
        "arn": function.arn,
        "queue_url": failures.url,
        "parking_queue_url": failures.parking_url,
        "task_family": fallback.task_family,
        "dispatcher_name": fallback.dispatcher_name,
        "log_group": function.log_group_name,
    }


def _tagged(tags: Mapping[str, str]) -> pulumi.ResourceTransformation:
    def transform(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not isinstance(args.props, dict) or "tags" not in args.props:  # a resource that takes none
            return None
        return pulumi.ResourceTransformationResult(
            {**args.props, "tags": {**tags, **(args.props["tags"] or {})}}, args.opts
        )

    return transform
