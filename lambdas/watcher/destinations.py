"""Sends a record to a queue, topic, event bus or function, as Lambda does, at least once.

Receivers recognize a repeated record by `requestContext.requestId`, or on queues and topics by the attribute
OvertimeRunKey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.contract import destinations
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef, PutEventsResultEntryTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

    from overtime.contract.destinations import DestinationKind
    from overtime.contract.runs import RunKey

ATTRIBUTE = "OvertimeRunKey"


class DeliveryError(OvertimeError):
    """A destination did not accept a record; sending it again is safe."""


class _EntryRefusedError(Exception):
    """PutEvents succeeded, but rejected the entry."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"PutEvents rejected the entry: {code}: {message}")
        self.code, self.message = code, message


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A record with and without payloads, and what its envelope needs."""

    key: RunKey
    function_arn: str
    succeeded: bool
    record: str
    without_payloads: str


class Destinations:
    """Sends to every kind of destination."""

    def __init__(self, *, sqs: SQSClient, sns: SNSClient, events: EventBridgeClient, lambdas: LambdaClient) -> None:
        self._sqs, self._sns, self._events, self._lambdas = sqs, sns, events, lambdas
        self._senders: Mapping[DestinationKind, Callable[[str, Delivery, str], None]] = {
            destinations.QUEUE: self._to_queue,
            destinations.TOPIC: self._to_topic,
            destinations.EVENT_BUS: self._to_bus,
            destinations.FUNCTION: self._to_function,
        }

    def send(self, arn: str, delivery: Delivery) -> None:
        """Send a record, without its payloads if the full record is too large for the destination.

        Raises:
            DeliveryError: the ARN is not a destination's, or the destination did not accept the record.

        """
        kind = destinations.kind_of(arn)
        if kind is None:
            raise DeliveryError(
                f"the record of the run {delivery.key} cannot be sent to {arn!r}: a destination must be the ARN of "
                f"{destinations.titles()}. Correct the setting."
            )
        send = self._senders[kind]
        try:
            if len(delivery.record.encode()) <= kind.largest:
                try:
                    return send(arn, delivery, delivery.record)
                except (ClientError, _EntryRefusedError) as error:
                    if not _is_too_large(error, kind):
                        raise
            return send(arn, delivery, delivery.without_payloads)
        except (ClientError, BotoCoreError, _EntryRefusedError) as error:
            raise DeliveryError(
                f"the record of the run {delivery.key} could not be sent to {arn!r} ({error}). The watcher retries "
                "for a day; check that the destination exists, and the watcher's permission to use it."
            ) from error

    def _to_queue(self, arn: str, delivery: Delivery, record: str) -> None:
        # SQS needs the URL. GetQueueUrl finds it from name and account, even for another account's queue.
        *_, account, name = arn.split(":")
        found = self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        self._sqs.send_message(
            QueueUrl=found["QueueUrl"],
            MessageBody=record,
            MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": str(delivery.key)}},
        )

    def _to_topic(self, arn: str, delivery: Delivery, record: str) -> None:
        self._sns.publish(
            TopicArn=arn,
            Message=record,
            MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": str(delivery.key)}},
        )

    def _to_function(self, arn: str, _: Delivery, record: str) -> None:
        self._lambdas.invoke(FunctionName=arn, InvocationType="Event", Payload=record.encode())

    def _to_bus(self, arn: str, delivery: Delivery, record: str) -> None:
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


def _is_too_large(error: ClientError | _EntryRefusedError, kind: DestinationKind) -> bool:
    if isinstance(error, _EntryRefusedError):
        code, message = error.code, error.message
    else:
        told = error.response.get("Error", {})
        code, message = told.get("Code", ""), told.get("Message", "")
    return any(code == known and words.lower() in message.lower() for known, words in kind.too_large)
