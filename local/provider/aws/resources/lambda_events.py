"""How events come to Lambda functions: retries of asynchronous invocations, and queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.lambda_ import GONE, name_of, role_not_ready
from local.provider.aws.resources.shapes import present, retag
from local.provider.aws.schema import (
    Change,
    ResourceType,
    block,
    flag,
    integer,
    mapping,
    text,
    unordered,
)
from local.provider.aws.session import refused_with, unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_BUSY = refused_with("ResourceInUseException", "ResourceConflictException")


def _put_retries(aws: Aws, given: Values) -> str:
    destinations = given["destinationConfig"] or {}
    shape = present(
        FunctionName=given["functionName"],
        MaximumRetryAttempts=given["maximumRetryAttempts"],
        MaximumEventAgeInSeconds=given["maximumEventAgeInSeconds"],
        DestinationConfig={
            name: {"Destination": destinations[key]["destination"]}
            for key, name in (("onSuccess", "OnSuccess"), ("onFailure", "OnFailure"))
            if destinations.get(key)
        },
    )
    aws.when(lambda: aws.functions.put_function_event_invoke_config(**shape), role_not_ready)
    return str(given["functionName"])


def _read_retries(aws: Aws, function: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.functions.get_function_event_invoke_config(FunctionName=function), GONE)
    if found is None:
        return None
    destinations: Values = {**found.get("DestinationConfig", {})}
    return {
        "functionName": function,
        "maximumRetryAttempts": found.get("MaximumRetryAttempts"),
        "maximumEventAgeInSeconds": found.get("MaximumEventAgeInSeconds"),
        "destinationConfig": {
            key: {"destination": destinations[name]["Destination"]}
            for key, name in (("onSuccess", "OnSuccess"), ("onFailure", "OnFailure"))
            if destinations.get(name, {}).get("Destination")
        },
    }


def _update_retries(aws: Aws, change: Change) -> None:
    _put_retries(aws, change.new)


def _delete_retries(aws: Aws, function: str, _known: Values) -> None:
    unless_gone(lambda: aws.functions.delete_function_event_invoke_config(FunctionName=function), GONE)


_DESTINATION = block(fields={"destination": text(required=True)})

EVENT_INVOKE_CONFIG = ResourceType(
    token="aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",  # noqa: S106
    properties={
        "functionName": text(required=True, replaces=True),
        "maximumRetryAttempts": integer(default=2),
        "maximumEventAgeInSeconds": integer(computed=True),
        "destinationConfig": block(fields={"onSuccess": _DESTINATION, "onFailure": _DESTINATION}),
    },
    outputs={},
    identity=("functionName",),
    create=_put_retries,
    read=_read_retries,
    update=_update_retries,
    delete=_delete_retries,
)


def _settings(given: Values) -> Values:
    most = (given["scalingConfig"] or {}).get("maximumConcurrency")
    return present(
        FunctionName=given["functionName"],
        BatchSize=given["batchSize"],
        Enabled=given["enabled"],
        FunctionResponseTypes=given["functionResponseTypes"] or [],
        MaximumBatchingWindowInSeconds=given["maximumBatchingWindowInSeconds"],
        ScalingConfig=present(MaximumConcurrency=most),
    )


def _create_mapping(aws: Aws, given: Values) -> str:
    shape = present(EventSourceArn=given["eventSourceArn"], Tags=given["tags"] or None, **_settings(given))
    return aws.when(lambda: aws.functions.create_event_source_mapping(**shape), role_not_ready)["UUID"]


def _finish_mapping(aws: Aws, uuid: str, _given: Values) -> None:
    def done() -> bool:
        state = aws.functions.get_event_source_mapping(UUID=uuid).get("State")
        return state not in ("Creating", "Enabling", "Disabling", "Updating")

    aws.wait(done, until=f"the event source mapping {uuid!r} was ready")


def _read_mapping(aws: Aws, uuid: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.functions.get_event_source_mapping(UUID=uuid), GONE)
    if found is None:
        return None
    arn = found.get("EventSourceMappingArn") or f"{_region_arn(found['FunctionArn'])}:event-source-mapping:{uuid}"
    tags = unless_gone(lambda: aws.functions.list_tags(Resource=arn).get("Tags", {}), GONE)
    return {
        "eventSourceArn": found.get("EventSourceArn"),
        "functionName": found["FunctionArn"],
        "batchSize": found.get("BatchSize"),
        "enabled": found.get("State") in ("Enabled", "Enabling", "Creating"),
        "functionResponseTypes": found.get("FunctionResponseTypes"),
        "maximumBatchingWindowInSeconds": found.get("MaximumBatchingWindowInSeconds"),
        "scalingConfig": present(maximumConcurrency=found.get("ScalingConfig", {}).get("MaximumConcurrency")),
        "tags": tags,
        "arn": arn,
        "functionArn": found["FunctionArn"],
        "uuid": uuid,
        "state": found.get("State"),
        "stateTransitionReason": found.get("StateTransitionReason"),
    }


def _region_arn(function_arn: str) -> str:
    return ":".join(function_arn.split(":")[:5])


def _update_mapping(aws: Aws, change: Change) -> None:
    if change.names - {"tags"}:
        shape = _settings(change.new)
        aws.when(
            lambda: aws.functions.update_event_source_mapping(UUID=change.id, **shape),
            lambda error: role_not_ready(error) or _BUSY(error),
        )
        _finish_mapping(aws, change.id, change.new)
    retag(
        change,
        put=lambda tags: aws.functions.tag_resource(Resource=change.outputs["arn"], Tags=tags),
        remove=lambda names: aws.functions.untag_resource(Resource=change.outputs["arn"], TagKeys=names),
    )


def _delete_mapping(aws: Aws, uuid: str, _known: Values) -> None:
    unless_gone(lambda: aws.when(lambda: aws.functions.delete_event_source_mapping(UUID=uuid), _BUSY), GONE)
    # Until it is gone, the queue that it reads cannot be told from one in use.
    aws.wait(
        lambda: unless_gone(lambda: aws.functions.get_event_source_mapping(UUID=uuid), GONE) is None,
        until=f"the event source mapping {uuid!r} was gone",
    )


EVENT_SOURCE_MAPPING = ResourceType(
    token="aws:lambda/eventSourceMapping:EventSourceMapping",  # noqa: S106
    properties={
        "eventSourceArn": text(required=True, replaces=True),
        "functionName": text(required=True, alike=name_of),
        "batchSize": integer(computed=True),
        "enabled": flag(default=True),
        "functionResponseTypes": unordered(text()),
        "maximumBatchingWindowInSeconds": integer(default=0),
        "scalingConfig": block(fields={"maximumConcurrency": integer()}),
        "tags": mapping(),
    },
    outputs={
        "arn": (),
        "uuid": (),
        "functionArn": ("functionName",),
        "state": ("enabled",),
        "stateTransitionReason": ("enabled", "functionName"),
    },
    create=_create_mapping,
    finish=_finish_mapping,
    read=_read_mapping,
    update=_update_mapping,
    delete=_delete_mapping,
)
