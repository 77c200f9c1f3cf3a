"""DynamoDB tables that are paid by request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources import dynamodb_indexes
from local.provider.aws.resources.shapes import present, retag, tag_list, tags_of
from local.provider.aws.schema import Change, Naming, ResourceType, block, flag, mapping, text, unordered
from local.provider.aws.session import refused_with, unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_GONE = "ResourceNotFoundException"
_BUSY = refused_with("ResourceInUseException")


def _create(aws: Aws, given: Values) -> str:
    keys = [("HASH", given["hashKey"]), ("RANGE", given["rangeKey"])]
    shape = present(
        TableName=given["name"],
        BillingMode=given["billingMode"],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for kind, name in keys if name],
        AttributeDefinitions=dynamodb_indexes.attribute_definitions(given),
        GlobalSecondaryIndexes=dynamodb_indexes.indexes(given) or None,
        DeletionProtectionEnabled=given["deletionProtectionEnabled"],
        SSESpecification={"Enabled": True} if _enabled(given, "serverSideEncryption") else None,
        Tags=tag_list(given["tags"]) or None,
    )
    aws.dynamodb.create_table(**shape)
    return str(given["name"])


def _enabled(given: Values, block_name: str) -> bool:
    return bool(given[block_name] and given[block_name]["enabled"])


def _finish(aws: Aws, name: str, given: Values) -> None:
    dynamodb_indexes.wait(aws, name)
    if _enabled(given, "ttl"):
        _expire(aws, name, given["ttl"])
    if _enabled(given, "pointInTimeRecovery"):
        _keep_backups(aws, name, given)


def _expire(aws: Aws, name: str, ttl: Values) -> None:
    specification = {"AttributeName": ttl["attributeName"] or "", "Enabled": ttl["enabled"]}
    aws.dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)  # type: ignore[arg-type]


def _keep_backups(aws: Aws, name: str, given: Values) -> None:
    wanted = _enabled(given, "pointInTimeRecovery")
    # A table that has just been made does not know its backups yet.
    aws.when(
        lambda: aws.dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": wanted}
        ),
        refused_with("ContinuousBackupsUnavailableException"),
    )


def _read(aws: Aws, name: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.dynamodb.describe_table(TableName=name), _GONE)
    if found is None:
        return None
    table = found["Table"]
    keys = {key["KeyType"]: key["AttributeName"] for key in table.get("KeySchema", [])}
    ttl = aws.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    expires = ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    backups = aws.dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    return {
        "name": table.get("TableName"),
        "billingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "hashKey": keys.get("HASH"),
        "rangeKey": keys.get("RANGE"),
        "attributes": [
            {"name": each["AttributeName"], "type": each["AttributeType"]}
            for each in table.get("AttributeDefinitions", [])
        ],
        # The attribute of an expiry that is switched off may be told still, and means nothing.
        "ttl": {"enabled": expires, "attributeName": ttl.get("AttributeName") if expires else None},
        "pointInTimeRecovery": {"enabled": recovery == "ENABLED"},
        "serverSideEncryption": {"enabled": table.get("SSEDescription", {}).get("Status") in ("ENABLED", "ENABLING")},
        "deletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
        dynamodb_indexes.NAME: dynamodb_indexes.told(table),
        "tags": tags_of(aws.dynamodb.list_tags_of_resource(ResourceArn=table.get("TableArn", "")).get("Tags", [])),
        "arn": table.get("TableArn"),
    }


def _update(aws: Aws, change: Change) -> None:
    name, new, arn = change.id, change.new, change.outputs["arn"]
    if change.has("attributes", dynamodb_indexes.NAME):
        dynamodb_indexes.update(aws, change)
    if change.has("serverSideEncryption"):
        encryption = {"Enabled": _enabled(new, "serverSideEncryption")}
        aws.dynamodb.update_table(TableName=name, SSESpecification=encryption)  # type: ignore[arg-type]
        dynamodb_indexes.wait(aws, name)
    if change.has("deletionProtectionEnabled"):
        aws.dynamodb.update_table(TableName=name, DeletionProtectionEnabled=new["deletionProtectionEnabled"])
        dynamodb_indexes.wait(aws, name)
    if change.has("ttl"):
        # AWS switches off only what is named.
        before = change.old["ttl"] or {}
        ttl = new["ttl"] if _enabled(new, "ttl") else {"attributeName": before.get("attributeName"), "enabled": False}
        _expire(aws, name, ttl)
    if change.has("pointInTimeRecovery"):
        _keep_backups(aws, name, new)
    retag(
        change,
        put=lambda tags: aws.dynamodb.tag_resource(ResourceArn=arn, Tags=tag_list(tags)),
        remove=lambda names: aws.dynamodb.untag_resource(ResourceArn=arn, TagKeys=names),
    )


def _delete(aws: Aws, name: str, _known: Values) -> None:
    unless_gone(lambda: aws.when(lambda: aws.dynamodb.delete_table(TableName=name), _BUSY), _GONE)
    aws.wait(
        lambda: unless_gone(lambda: aws.dynamodb.describe_table(TableName=name), _GONE) is None,
        until=f"the table {name!r} was gone",
    )


_SWITCH = {"enabled": flag(required=True)}

TABLE = ResourceType(
    token="aws:dynamodb/table:Table",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "billingMode": text(required=True, choices=("PAY_PER_REQUEST",)),
        "hashKey": text(required=True, replaces=True),
        "rangeKey": text(replaces=True),
        "attributes": unordered(
            block(fields={"name": text(required=True), "type": text(required=True)}), required=True
        ),
        dynamodb_indexes.NAME: dynamodb_indexes.PROPERTY,
        "ttl": block(fields={"attributeName": text(), "enabled": flag(default=False)}, default={"enabled": False}),
        "pointInTimeRecovery": block(fields=_SWITCH, default={"enabled": False}),
        "serverSideEncryption": block(fields=_SWITCH, default={"enabled": False}),
        "deletionProtectionEnabled": flag(default=False),
        "tags": mapping(),
    },
    outputs={"arn": ()},
    identity=("name",),
    naming=Naming(longest=255),
    create=_create,
    finish=_finish,
    read=_read,
    update=_update,
    delete=_delete,
)
