# ruff: noqa: N803 -- the double takes AWS's own names
"""SQS with the failure queue and the parking queue, and what a Lambda function gets of a message."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, cast

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QUEUE, PARKING = "https://queue/failures", "https://queue/parking"


class Queues:
    """SQS: messages in order of sending; delays are only noted."""

    service = "sqs"

    def __init__(self) -> None:
        self.sent: dict[str, list[dict[str, object]]] = {}
        self._hidden: dict[str, set[str]] = {}
        self._ids = itertools.count()
        self.clock: Callable[[], float] = lambda: 1_700_000_000.0

    def send_message(self, *, QueueUrl: str, MessageBody: str, **more: object) -> None:
        """Take a message."""
        message = {"MessageId": f"m-{next(self._ids)}", "Body": MessageBody, "receives": 0, **self._sent_now(), **more}
        self.sent.setdefault(QueueUrl, []).append(message)

    def receive_message(self, *, QueueUrl: str, MaxNumberOfMessages: int, **more: object) -> dict[str, object]:
        """Show messages, which then stay away for as long as was asked: here, until all have been seen."""
        assert more["VisibilityTimeout"]
        hidden = self._hidden.setdefault(QueueUrl, set())
        seen = [each for each in self.sent.get(QueueUrl, []) if each["MessageId"] not in hidden][:MaxNumberOfMessages]
        hidden.update(str(each["MessageId"]) for each in seen)
        for each in seen:
            each["receives"] = int(str(each["receives"])) + 1
        if not seen:
            hidden.clear()
        return {"Messages": seen}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, dict[str, str]]:
        """Count what is there: all of it is visible."""
        numbers = dict.fromkeys(AttributeNames, "0")
        return {"Attributes": numbers | {"ApproximateNumberOfMessages": str(len(self.sent.get(QueueUrl, [])))}}

    def _sent_now(self) -> dict[str, object]:
        return {"Attributes": {"SentTimestamp": str(round(self.clock() * 1000))}}

    def move_back(self) -> int:
        """Move what is parked to the failure queue, as StartMessageMoveTask does: as new messages."""
        moved = self.sent.pop(PARKING, [])
        for message in moved:
            anew = {"MessageId": f"m-{next(self._ids)}", "receives": 0, **self._sent_now()}
            self.sent.setdefault(QUEUE, []).append(message | anew)
        return len(moved)

    def get_queue_url(self, *, QueueName: str, QueueOwnerAWSAccountId: str) -> dict[str, str]:
        """Name a queue by what an ARN holds."""
        assert QueueOwnerAWSAccountId
        return {"QueueUrl": QueueName}


def record(message: Mapping[str, object], receives: int = 1) -> SQSRecord:
    """Hand a message to a Lambda function as an event source does."""
    given = cast("Mapping[str, Mapping[str, str]]", message.get("MessageAttributes", {}))
    attributes = {
        name: {"dataType": value["DataType"], "stringValue": value["StringValue"]} for name, value in given.items()
    }
    return SQSRecord(
        {
            "messageId": str(message["MessageId"]),
            "body": str(message["Body"]),
            "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1700000000000"},
            "messageAttributes": attributes,
        }
    )
