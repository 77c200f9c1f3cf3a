"""EventBridge: buses and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.shapes import present, retag, tag_list, tags_of
from local.provider.aws.schema import (
    Change,
    Naming,
    ResourceType,
    flag,
    json_text,
    mapping,
    text,
)
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

GONE = "ResourceNotFoundException"
DEFAULT_BUS = "default"


def _retag(aws: Aws, change: Change) -> None:
    arn = change.outputs["arn"]
    retag(
        change,
        put=lambda tags: aws.events.tag_resource(ResourceARN=arn, Tags=tag_list(tags)),
        remove=lambda names: aws.events.untag_resource(ResourceARN=arn, TagKeys=names),
    )


def _tags(aws: Aws, arn: str) -> dict[str, str]:
    return tags_of(aws.events.list_tags_for_resource(ResourceARN=arn)["Tags"])


def _create_bus(aws: Aws, given: Values) -> str:
    shape = present(Description=given["description"], Tags=tag_list(given["tags"]) or None)
    aws.events.create_event_bus(Name=given["name"], **shape)
    return str(given["name"])


def _read_bus(aws: Aws, name: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.events.describe_event_bus(Name=name), GONE)
    if found is None:
        return None
    arn = found["Arn"]
    return {"name": name, "description": found.get("Description"), "tags": _tags(aws, arn), "arn": arn}


def _update_bus(aws: Aws, change: Change) -> None:
    if change.has("description"):
        aws.events.update_event_bus(Name=change.id, Description=change.new["description"] or "")
    _retag(aws, change)


def _delete_bus(aws: Aws, name: str, _known: Values) -> None:
    unless_gone(lambda: aws.events.delete_event_bus(Name=name), GONE)


EVENT_BUS = ResourceType(
    token="aws:cloudwatch/eventBus:EventBus",  # noqa: S106
    properties={"name": text(replaces=True), "description": text(), "tags": mapping()},
    outputs={"arn": ()},
    identity=("name",),
    naming=Naming(longest=256),
    create=_create_bus,
    read=_read_bus,
    update=_update_bus,
    delete=_delete_bus,
)


def _rule(identity: str) -> tuple[str, str]:
    """Give bus and name from a rule's id: `<name>`, or `<bus>/<name>`."""
    bus, _, name = identity.rpartition("/")
    return bus or DEFAULT_BUS, name


def _put_rule(aws: Aws, given: Values) -> str:
    shape = present(
        Name=given["name"],
        EventBusName=given["eventBusName"],
        Description=given["description"],
        EventPattern=given["eventPattern"],
        RoleArn=given["roleArn"],
        ScheduleExpression=given["scheduleExpression"],
        State=given["state"],
        Tags=tag_list(given["tags"]) or None,
    )
    aws.events.put_rule(**shape)
    name, bus = str(given["name"]), given["eventBusName"]
    return name if bus == DEFAULT_BUS else f"{bus}/{name}"


def _read_rule(aws: Aws, identity: str, _known: Values) -> Values | None:
    bus, name = _rule(identity)
    found = unless_gone(lambda: aws.events.describe_rule(Name=name, EventBusName=bus), GONE)
    if found is None:
        return None
    return {
        "name": name,
        "eventBusName": bus,
        "description": found.get("Description"),
        "eventPattern": found.get("EventPattern"),
        "roleArn": found.get("RoleArn"),
        "scheduleExpression": found.get("ScheduleExpression"),
        "state": found.get("State"),
        "tags": _tags(aws, found["Arn"]),
        "arn": found["Arn"],
    }


def _update_rule(aws: Aws, change: Change) -> None:
    if change.names - {"tags"}:
        # What a call leaves out is taken away from the rule; tags go by calls of their own.
        _put_rule(aws, {**change.new, "description": change.new["description"] or "", "tags": None})
    _retag(aws, change)


def _delete_rule(aws: Aws, identity: str, known: Values) -> None:
    bus, name = _rule(identity)
    if known.get("forceDestroy"):
        found = unless_gone(lambda: aws.events.list_targets_by_rule(Rule=name, EventBusName=bus), GONE)
        ids = [target["Id"] for target in (found or {}).get("Targets", [])]
        if ids:
            aws.events.remove_targets(Rule=name, EventBusName=bus, Ids=ids)
    unless_gone(lambda: aws.events.delete_rule(Name=name, EventBusName=bus), GONE)


EVENT_RULE = ResourceType(
    token="aws:cloudwatch/eventRule:EventRule",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "description": text(),
        "eventBusName": text(default=DEFAULT_BUS, replaces=True),
        "eventPattern": json_text(),
        "forceDestroy": flag(default=False, told=False),
        "roleArn": text(),
        "scheduleExpression": text(),
        "state": text(default="ENABLED"),
        "tags": mapping(),
    },
    outputs={"arn": ()},
    identity=("eventBusName", "name"),
    naming=Naming(longest=64),
    create=_put_rule,
    read=_read_rule,
    update=_update_rule,
    delete=_delete_rule,
)
