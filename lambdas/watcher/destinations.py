"""Sends a record to a queue, topic, event bus or function, as Lambda does, at least once.

Who gets one twice knows it by `requestContext.requestId`, and on queues and topics by the attribute OvertimeRunKey.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef, PutEventsResultEntryTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

    from overtime.contract.runs import RunKey

ATTRIBUTE = "OvertimeRunKey"
LARGEST_RECORD = 1_048_576 - 1_024
"""Bytes that any destination takes at most; the rest is for the attribute. A topic or queue may be set to less."""
_ARN = re.compile(r"arn:[^:]+:(?P<service>[^:]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<name>.+)")
_TOO_LARGE: Mapping[str, str] = MappingProxyType(
    {
        # SQS says "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes."
        "InvalidParameterValue": "Message must be shorter than",
        # SNS says "Invalid parameter: Message too long".
        "InvalidParameter": "Message too long",
        # EventBridge says "Total size of the entries in the request is over the limit."
        "ValidationException": "size of the entries in the request is over the limit",
        # Lambda names its quota of one request body in three ways; each says nothing else.
        "RequestTooLargeException": "",
        "RequestEntityTooLargeException": "",
        "SerializedRequestEntityTooLargeException": "",
    }
)
"""The code of each service for a record that is over its limit, and the words that tell it from the code's others.

Nothing else may take the payloads away: a throttled call, say, is sent again as it is.
"""


class DeliveryError(OvertimeError):
    """A destination did not take a record; sending it again is safe."""


class _EntryRefusedError(Exception):
    """PutEvents answered, and did not take the entry."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"PutEvents did not take the entry: {code}: {message}")
        self.code, self.message = code, message


@dataclass(frozen=True, kw_only=True)
class Delivery:
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

    def send(self, arn: str, delivery: Delivery) -> None:
        """Send a record, without its payloads where it is too large for the target with them; raises DeliveryError."""
        try:
            if len(delivery.record.encode()) <= LARGEST_RECORD:
                try:
                    return self._put(arn, delivery, delivery.record)
                except (ClientError, _EntryRefusedError) as error:
                    if not _is_too_large(error):
                        raise
            return self._put(arn, delivery, delivery.without_payloads)
        except (ClientError, BotoCoreError, _EntryRefusedError) as error:
            raise DeliveryError(
                f"the record of the run {delivery.key} could not be sent to {arn!r} ({error}). It is tried again "
                "for a day; check that the destination exists and the watcher's permission to use it."
            ) from error

    def _put(self, arn: str, delivery: Delivery, record: str) -> None:
        parts = _ARN.fullmatch(arn)
        match parts["service"] if parts else None:
            case "sqs":
                # SQS is called by URL; the ARN holds what GetQueueUrl needs, another account's queue included.
                assert parts is not None
                found = self._sqs.get_queue_url(QueueName=parts["name"], QueueOwnerAWSAccountId=parts["account"])
                self._sqs.send_message(
                    QueueUrl=found["QueueUrl"],
                    MessageBody=record,
                    MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": str(delivery.key)}},
                )
            case "sns":
                self._sns.publish(
                    TopicArn=arn,
                    Message=record,
                    MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": str(delivery.key)}},
                )
            case "events":
                self._put_event(arn, delivery, record)
            case "lambda":
                self._lambdas.invoke(FunctionName=arn, InvocationType="Event", Payload=record.encode())
            case _:
                raise DeliveryError(
                    f"the record of the run {delivery.key} cannot be sent to {arn!r}: a destination is the ARN of "
                    "an SQS queue, an SNS topic, an EventBridge bus or a Lambda function. Correct the setting."
                )

    def _put_event(self, arn: str, delivery: Delivery, record: str) -> None:
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": arn,
            "Source": "lambda",
            "DetailType": f"Lambda Function Invocation Result - {'Success' if delivery.succeeded else 'Failure'}",
            "Resources": [arn, f"{delivery.function_arn}:$LATEST"],
            "Detail": record,
        }
        answer = self._events.put_events(Entries=[entry])
        if answer.get("FailedEntryCount"):
            told: PutEventsResultEntryTypeDef = answer["Entries"][0] if answer["Entries"] else {}
            raise _EntryRefusedError(told.get("ErrorCode", "Unknown"), told.get("ErrorMessage", ""))


def _is_too_large(error: ClientError | _EntryRefusedError) -> bool:
    if isinstance(error, _EntryRefusedError):
        code, message = error.code, error.message
    else:
        told = error.response.get("Error", {})
        code, message = told.get("Code", ""), told.get("Message", "")
    return code in _TOO_LARGE and _TOO_LARGE[code].lower() in message.lower()
