"""The targets of EventBridge rules."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.provider.aws.resources.events import DEFAULT_BUS, GONE
from local.provider.aws.resources.shapes import present
from local.provider.aws.schema import Change, ResourceType, block, integer, json_text, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values


def _prefix(given: Values) -> str:
    bus = given["eventBusName"] or DEFAULT_BUS
    return f"{given['rule']}-" if bus == DEFAULT_BUS else f"{bus}-{given['rule']}-"


def _put_target(aws: Aws, given: Values, target_id: str) -> str:
    retry, dead, queue = given["retryPolicy"], given["deadLetterConfig"], given["sqsTarget"]
    retries = present(
        MaximumEventAgeInSeconds=retry and retry["maximumEventAgeInSeconds"],
        MaximumRetryAttempts=retry["maximumRetryAttempts"] if retry else None,
    )
    target = present(
        Id=target_id,
        Arn=given["arn"],
        Input=given["input"],
        InputPath=given["inputPath"],
        RoleArn=given["roleArn"],
        DeadLetterConfig={"Arn": dead["arn"]} if dead and dead["arn"] else None,
        RetryPolicy=retries or None,
        SqsParameters={"MessageGroupId": queue["messageGroupId"]} if queue and queue["messageGroupId"] else None,
    )
    answer = aws.events.put_targets(Rule=given["rule"], EventBusName=given["eventBusName"], Targets=[target])
    if answer["FailedEntryCount"]:
        raise LocalError(f"EventBridge did not take the target: {json.dumps(answer['FailedEntries'])}")
    return _prefix(given) + target_id


def _create_target(aws: Aws, given: Values) -> str:
    return _put_target(aws, given, given["targetId"] or f"target-{secrets.token_hex(8)}")


def _read_target(aws: Aws, identity: str, known: Values) -> Values | None:
    bus = known.get("eventBusName") or DEFAULT_BUS
    target_id = identity.removeprefix(_prefix({**known, "eventBusName": bus}))
    found = unless_gone(lambda: aws.events.list_targets_by_rule(Rule=known["rule"], EventBusName=bus), GONE)
    for target in (found or {}).get("Targets", []):
        if target["Id"] == target_id:
            retry, queue = target.get("RetryPolicy"), target.get("SqsParameters")
            return {
                "rule": known["rule"],
                "eventBusName": bus,
                "targetId": target_id,
                "arn": target["Arn"],
                "input": target.get("Input"),
                "inputPath": target.get("InputPath"),
                "roleArn": target.get("RoleArn"),
                "deadLetterConfig": {"arn": target["DeadLetterConfig"]["Arn"]}
                if "DeadLetterConfig" in target
                else None,
                "retryPolicy": retry
                and {
                    "maximumEventAgeInSeconds": retry.get("MaximumEventAgeInSeconds"),
                    "maximumRetryAttempts": retry.get("MaximumRetryAttempts"),
                },
                "sqsTarget": queue and {"messageGroupId": queue.get("MessageGroupId")},
            }
    return None


def _update_target(aws: Aws, change: Change) -> None:
    _put_target(aws, change.new, change.id.removeprefix(_prefix(change.new)))


def _delete_target(aws: Aws, identity: str, known: Values) -> None:
    bus = known.get("eventBusName") or DEFAULT_BUS
    target_id = identity.removeprefix(_prefix({**known, "eventBusName": bus}))
    unless_gone(
        lambda: aws.events.remove_targets(Rule=known["rule"], EventBusName=bus, Ids=[target_id]),
        GONE,
    )


EVENT_TARGET = ResourceType(
    token="aws:cloudwatch/eventTarget:EventTarget",  # noqa: S106
    properties={
        "rule": text(required=True, replaces=True),
        "arn": text(required=True),
        "deadLetterConfig": block(fields={"arn": text()}),
        "eventBusName": text(default=DEFAULT_BUS, replaces=True),
        "input": json_text(),
        "inputPath": text(),
        "retryPolicy": block(fields={"maximumEventAgeInSeconds": integer(), "maximumRetryAttempts": integer()}),
        "roleArn": text(),
        "sqsTarget": block(fields={"messageGroupId": text()}),
        "targetId": text(computed=True, replaces=True),
    },
    outputs={},
    identity=("eventBusName", "rule", "targetId"),
    create=_create_target,
    read=_read_target,
    update=_update_target,
    delete=_delete_target,
)
