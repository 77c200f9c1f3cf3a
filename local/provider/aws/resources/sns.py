"""SNS topics and their policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.provider.aws import documents
from local.provider.aws.resources.shapes import present, retag, tag_list, tags_of
from local.provider.aws.schema import Change, Naming, ResourceType, flag, json_text, mapping, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_GONE = ("NotFound", "NotFoundException")
_ATTRIBUTES = {
    "displayName": "DisplayName",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "fifoTopic": "FifoTopic",
    "contentBasedDeduplication": "ContentBasedDeduplication",
}
_OWNERS_ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _create(aws: Aws, given: Values) -> str:
    attributes = {name: _text(given[key]) for key, name in _ATTRIBUTES.items() if given[key]}
    shape = present(Attributes=attributes or None, Tags=tag_list(given["tags"]) or None)
    return str(aws.sns.create_topic(Name=given["name"], **shape)["TopicArn"])


def _attributes(aws: Aws, arn: str) -> Values | None:
    found = unless_gone(lambda: aws.sns.get_topic_attributes(TopicArn=arn), *_GONE)
    return None if found is None else found["Attributes"]


def _read(aws: Aws, arn: str, _known: Values) -> Values | None:
    attributes = _attributes(aws, arn)
    if attributes is None:
        return None
    return {
        **{key: attributes.get(name) for key, name in _ATTRIBUTES.items()},
        "name": arn.rpartition(":")[2],
        "tags": tags_of(aws.sns.list_tags_for_resource(ResourceArn=arn)["Tags"]),
        "arn": arn,
        "owner": attributes["Owner"],
    }


def _update(aws: Aws, change: Change) -> None:
    for key in ("displayName", "kmsMasterKeyId", "contentBasedDeduplication"):
        if change.has(key):
            value = _text(change.new[key] if change.new[key] is not None else "")
            aws.sns.set_topic_attributes(TopicArn=change.id, AttributeName=_ATTRIBUTES[key], AttributeValue=value)
    retag(
        change,
        put=lambda tags: aws.sns.tag_resource(ResourceArn=change.id, Tags=tag_list(tags)),
        remove=lambda names: aws.sns.untag_resource(ResourceArn=change.id, TagKeys=names),
    )


def _delete(aws: Aws, arn: str, _known: Values) -> None:
    unless_gone(lambda: aws.sns.delete_topic(TopicArn=arn), *_GONE)


TOPIC = ResourceType(
    token="aws:sns/topic:Topic",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "displayName": text(),
        "kmsMasterKeyId": text(),
        "fifoTopic": flag(default=False, replaces=True),
        "contentBasedDeduplication": flag(default=False),
        "tags": mapping(),
    },
    outputs={"arn": (), "owner": ()},
    identity=("name",),
    naming=Naming(longest=256),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)


def _put_policy(aws: Aws, arn: str, document: str) -> None:
    aws.sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document)


def _create_policy(aws: Aws, given: Values) -> str:
    _put_policy(aws, given["arn"], given["policy"])
    return str(given["arn"])


def _read_policy(aws: Aws, arn: str, _known: Values) -> Values | None:
    attributes = _attributes(aws, arn)
    if not attributes or not attributes.get("Policy"):
        return None
    return {"arn": arn, "policy": attributes["Policy"], "owner": attributes["Owner"]}


def _update_policy(aws: Aws, change: Change) -> None:
    _put_policy(aws, change.id, change.new["policy"])


def _delete_policy(aws: Aws, arn: str, _known: Values) -> None:
    """Give back the policy that a topic is made with: a topic is never without one."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _OWNERS_ACTIONS],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": arn.split(":")[4]}},
    }
    document = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    unless_gone(lambda: _put_policy(aws, arn, json.dumps(document)), *_GONE)


TOPIC_POLICY = ResourceType(
    token="aws:sns/topicPolicy:TopicPolicy",  # noqa: S106
    properties={
        "arn": text(required=True, replaces=True),
        "policy": json_text(required=True, alike=documents.policy),
    },
    outputs={"owner": ()},
    identity=("arn",),
    create=_create_policy,
    read=_read_policy,
    update=_update_policy,
    delete=_delete_policy,
)
