"""SQS queues, and the policies that are set on them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from local.provider.aws import documents
from local.provider.aws.resources.shapes import present, retag
from local.provider.aws.schema import Change, Naming, ResourceType, flag, integer, json_text, mapping, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_ATTRIBUTES = MappingProxyType(
    {
        "delaySeconds": "DelaySeconds",
        "maxMessageSize": "MaximumMessageSize",
        "messageRetentionSeconds": "MessageRetentionPeriod",
        "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
        "redrivePolicy": "RedrivePolicy",
        "sqsManagedSseEnabled": "SqsManagedSseEnabled",
        "visibilityTimeoutSeconds": "VisibilityTimeout",
    }
)


def _attributes(given: Values) -> dict[str, str]:
    return {name: _text(given[key]) for key, name in _ATTRIBUTES.items() if given[key] is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _create(aws: Aws, given: Values) -> str:
    shape = present(QueueName=given["name"], Attributes=_attributes(given), tags=given["tags"] or None)
    return aws.sqs.create_queue(**shape)["QueueUrl"]


def _read(aws: Aws, url: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]), *_GONE)
    if found is None:
        return None
    attributes: dict[str, str] = {str(name): text for name, text in found["Attributes"].items()}
    told: Values = {key: attributes.get(name) for key, name in _ATTRIBUTES.items()}
    arn = attributes["QueueArn"]
    tags = aws.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    return {**told, "name": arn.rpartition(":")[2], "arn": arn, "url": url, "tags": tags}


def _update(aws: Aws, change: Change) -> None:
    attributes = {
        name: "" if change.new[key] is None else _text(change.new[key])
        for key, name in _ATTRIBUTES.items()
        if change.has(key)
    }
    if attributes:
        aws.sqs.set_queue_attributes(QueueUrl=change.id, Attributes=attributes)  # type: ignore[arg-type]
    retag(
        change,
        put=lambda tags: aws.sqs.tag_queue(QueueUrl=change.id, Tags=tags),
        remove=lambda names: aws.sqs.untag_queue(QueueUrl=change.id, TagKeys=names),
    )


def _delete(aws: Aws, url: str, _known: Values) -> None:
    unless_gone(lambda: aws.sqs.delete_queue(QueueUrl=url), *_GONE)


QUEUE = ResourceType(
    token="aws:sqs/queue:Queue",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "delaySeconds": integer(default=0),
        "maxMessageSize": integer(default=262_144),
        "messageRetentionSeconds": integer(default=345_600),
        "receiveWaitTimeSeconds": integer(default=0),
        "redrivePolicy": json_text(),
        "sqsManagedSseEnabled": flag(computed=True),
        "visibilityTimeoutSeconds": integer(default=30),
        "tags": mapping(),
    },
    outputs={"arn": (), "url": ()},
    identity=("name",),
    naming=Naming(longest=80),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)


def _on_queue(token: str, key: str, attribute: str, alike: Callable[[object], object] | None = None) -> ResourceType:
    """Declare a resource that is one attribute of a queue."""

    def put(aws: Aws, url: str, document: str) -> None:
        aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={attribute: document})  # type: ignore[dict-item]

    def create(aws: Aws, given: Values) -> str:
        put(aws, given["queueUrl"], given[key])
        return str(given["queueUrl"])

    def read(aws: Aws, url: str, _known: Values) -> Values | None:
        asked = [attribute]
        found = unless_gone(
            lambda: aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked),  # type: ignore[arg-type]
            *_GONE,
        )
        attributes: Mapping[Any, str] = found.get("Attributes", {}) if found else {}
        document = attributes.get(attribute)
        return {"queueUrl": url, key: document} if document else None

    def update(aws: Aws, change: Change) -> None:
        put(aws, change.id, change.new[key])

    def delete(aws: Aws, url: str, _known: Values) -> None:
        unless_gone(lambda: put(aws, url, ""), *_GONE)

    return ResourceType(
        token=token,
        properties={"queueUrl": text(required=True, replaces=True), key: json_text(required=True, alike=alike)},
        outputs={},
        identity=("queueUrl",),
        create=create,
        read=read,
        update=update,
        delete=delete,
    )


QUEUE_POLICY = _on_queue("aws:sqs/queuePolicy:QueuePolicy", "policy", "Policy", documents.policy)
REDRIVE_ALLOW_POLICY = _on_queue(
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "redriveAllowPolicy", "RedriveAllowPolicy"
)
