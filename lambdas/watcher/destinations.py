"""Sends a record to a queue, topic, event bus or function, as Lambda does, at least once.

Who gets one twice knows it by `requestContext.requestId`, and on queues and topics by the attribute OvertimeRunKey.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from botocore.exceptions import _ClientErrorResponseError
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef, PutEventsResponseTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

    from overtime.ledger.model import RunKey

ATTRIBUTE = "OvertimeRunKey"
LARGEST_RECORD = 1_048_576 - 1_024
"""Bytes that any destination takes at most; the rest is for the attribute. A topic or queue may be set to less."""
_ARN = re.compile(r"arn:[^:]+:(?P<service>[^:]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<name>.+)")
_TOO_LARGE = re.compile(r"too long|too large|must be shorter|exceed|larger than|smaller than|size", re.IGNORECASE)


class DeliveryError(OvertimeError):
    """A destination did not take a record; sending it again is safe."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A record, and what an envelope says of it."""

    key: RunKey
    function_arn: str
    succeeded: bool
    record: str
    without_payloads: str


class Destinations:
    """The clients of the four kinds of target."""

    def __init__(self, *, sqs: SQSClient, sns: SNSClient, events: EventBridgeClient, lambdas: LambdaClient) -> None:
        self._sqs, self._sns, self._events, self._lambdas = sqs, sns, events, lambdas

    def send(self, arn: str, letter: Letter) -> None:
        """Send a record, without its payloads where it is too large for the target with them; raises DeliveryError."""
        try:
            if len(letter.record.encode()) <= LARGEST_RECORD:
                try:
                    return self._put(arn, letter, letter.record)
                except ClientError as error:
                    if not _TOO_LARGE.search(str(error)):
                        raise
            return self._put(arn, letter, letter.without_payloads)
        except (ClientError, BotoCoreError) as error:
            raise DeliveryError(
                f"the record of the run {letter.key} could not be sent to {arn!r} ({error}). It is tried again "
                "for a day; check that the destination exists and the watcher's permission to use it."
            ) from error

    def _put(self, arn: str, letter: Letter, record: str) -> None:
        parts = _ARN.fullmatch(arn)
        match parts["service"] if parts else None:
            case "sqs":
                # SQS is called by URL; the ARN holds what GetQueueUrl needs, another account's queue included.
                assert parts is not None
                found = self._sqs.get_queue_url(QueueName=parts["name"], QueueOwnerAWSAccountId=parts["account"])
                self._sqs.send_message(
                    QueueUrl=found["QueueUrl"],
                    MessageBody=record,
                    MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": str(letter.key)}},
                )
            case "sns":
                self._sns.publish(
                    TopicArn=arn,
                    Message=record,
                    MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": str(letter.key)}},
                )
            case "events":
                self._put_event(arn, letter, record)
            case "lambda":
                self._lambdas.invoke(FunctionName=arn, InvocationType="Event", Payload=record.encode())
            case _:
                raise DeliveryError(
                    f"the record of the run {letter.key} cannot be sent to {arn!r}: a destination is the ARN of "
                    "an SQS queue, an SNS topic, an EventBridge bus or a Lambda function. Correct the setting."
                )

    def _put_event(self, arn: str, letter: Letter, record: str) -> None:
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": arn,
            "Source": "lambda",
            "DetailType": f"Lambda Function Invocation Result - {'Success' if letter.succeeded else 'Failure'}",
            "Resources": [arn, f"{letter.function_arn}:$LATEST"],
            "Detail": record,
        }
        answer = self._events.put_events(Entries=[entry])
        if answer.get("FailedEntryCount"):
            raise ClientError({"Error": _first_error(answer)}, "PutEvents")


def _first_error(answer: PutEventsResponseTypeDef) -> _ClientErrorResponseError:
    for entry in answer["Entries"]:
        return {"Code": entry.get("ErrorCode", "Unknown"), "Message": entry.get("ErrorMessage", "")}
    return {"Code": "Unknown", "Message": ""}
