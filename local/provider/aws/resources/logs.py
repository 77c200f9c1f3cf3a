"""CloudWatch log groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.shapes import present, retag
from local.provider.aws.schema import Change, Naming, ResourceType, integer, mapping, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_GONE = "ResourceNotFoundException"
_FOREVER = 0


def _create(aws: Aws, given: Values) -> str:
    aws.logs.create_log_group(**present(logGroupName=given["name"], tags=given["tags"] or None))
    return str(given["name"])


def _retain(aws: Aws, name: str, given: Values) -> None:
    if given["retentionInDays"] == _FOREVER:
        aws.logs.delete_retention_policy(logGroupName=name)
    else:
        aws.logs.put_retention_policy(logGroupName=name, retentionInDays=given["retentionInDays"])


def _finish(aws: Aws, name: str, given: Values) -> None:
    if given["retentionInDays"] != _FOREVER:
        _retain(aws, name, given)


def _read(aws: Aws, name: str, _known: Values) -> Values | None:
    pages = aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    groups = [group for page in pages for group in page["logGroups"] if group.get("logGroupName") == name]
    if not groups:
        return None
    arn = groups[0]["arn"].removesuffix(":*")
    return {
        "name": name,
        "arn": arn,
        "retentionInDays": groups[0].get("retentionInDays", _FOREVER),
        "tags": aws.logs.list_tags_for_resource(resourceArn=arn)["tags"],
    }


def _update(aws: Aws, change: Change) -> None:
    arn = change.outputs["arn"]
    if change.has("retentionInDays"):
        _retain(aws, change.id, change.new)
    retag(
        change,
        put=lambda tags: aws.logs.tag_resource(resourceArn=arn, tags=tags),
        remove=lambda names: aws.logs.untag_resource(resourceArn=arn, tagKeys=names),
    )


def _delete(aws: Aws, name: str, _known: Values) -> None:
    unless_gone(lambda: aws.logs.delete_log_group(logGroupName=name), _GONE)


LOG_GROUP = ResourceType(
    token="aws:cloudwatch/logGroup:LogGroup",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "retentionInDays": integer(default=_FOREVER),
        "tags": mapping(),
    },
    outputs={"arn": ()},
    identity=("name",),
    naming=Naming(longest=512),
    create=_create,
    finish=_finish,
    read=_read,
    update=_update,
    delete=_delete,
)
