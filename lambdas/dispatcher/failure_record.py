"""Failure records: what Lambda sends to the failure queue when it gives up on an asynchronous event, as one value.

Lambda sends two forms. A dead-letter message is the unchanged event, with the message attributes RequestID, ErrorCode
and ErrorMessage (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html). The record of an
on-failure destination contains the event as `requestPayload`. An event may look like such a record, so the attributes
decide: if any of them is present, the body is the event.

Overtime itself sends a third form: a pointer record (see `overtime.ledger.pointers`), which has an attribute of its own
because an event may look like it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from overtime.contract.runs import InvalidRunKeyError, RunKey
from overtime.errors import OvertimeError
from overtime.lambdas.dispatcher import json_slice
from overtime.ledger import pointers
from overtime.ledger.pointers import InvalidPointerError, Pointer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

DEAD_LETTER = "dead_letter"
DESTINATION = "destination"

_ATTRIBUTES = ("RequestID", "ErrorCode", "ErrorMessage")
_FUNCTION_ARN = re.compile(r"arn:[^:]+:lambda:[^:]+:[^:]+:function:(?P<name>[^:]+)(:(?P<qualifier>.*))?")
_QUALIFIER = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""A version or an alias, the `Qualifier` of Lambda's API, but not `$LATEST`."""


class UnreadableRecordError(OvertimeError):
    """A message on the failure queue is not a valid record; the queue delivers it again and finally parks it."""


@dataclass(frozen=True, kw_only=True)
class FailureRecord:
    """One invocation that Lambda gave up on."""

    key: RunKey
    event: bytes
    """The event that the function received; byte for byte if it came as a dead-letter message."""
    form: str
    """`dead_letter` or `destination`."""
    error_type: str | None
    """Lambda's error type, which only destination records contain."""
    error_code: str | None
    """HTTP status of a dead-letter message; the condition, such as RetriesExhausted, of a destination record."""
    error_message: str | None
    invoke_count: int | None
    """Lambda attempts, if the record counts them."""
    failed_at: datetime | None = None
    """When Lambda put the record on the queue."""
    version: str | None = None
    """The published version that ran; None if the record names none, or `$LATEST`."""
    qualifier: str | None = None
    """The version or alias that was invoked; None if the record names none, or `$LATEST`."""


def parse(record: SQSRecord, function_name: str) -> FailureRecord:
    """Read a message of this function's failure queue.

    Raise UnreadableRecordError, whose text never quotes the body.
    """
    body = record.body
    if any(name in record.message_attributes for name in _ATTRIBUTES):
        return _dead_letter(record, body, function_name)
    wrapped = _destination_members(body)
    if wrapped is not None:
        return _destination(record, wrapped, function_name)
    return _dead_letter(record, body, function_name)


def pointer_of(record: SQSRecord, function_name: str) -> Pointer | None:
    """Read a pointer record; return None if the message is one of Lambda's. Raise UnreadableRecordError."""
    if pointers.ATTRIBUTE not in record.message_attributes:
        return None
    try:
        pointer = pointers.parse(record.body)
    except InvalidPointerError as error:
        raise UnreadableRecordError(
            f"the message {record.message_id!r} is not a valid record: {error} It will be parked."
        ) from error
    if pointer.key.function_name != function_name:
        raise UnreadableRecordError(
            f"the message {record.message_id!r} names the run {pointer.key}, but this is the queue of "
            f"{function_name!r}, whose code must not run it. It will be parked."
        )
    return pointer


def _dead_letter(record: SQSRecord, body: str, function_name: str) -> FailureRecord:
    if not json_slice.is_json(body):
        raise UnreadableRecordError(
            f"the message {record.message_id!r} on the failure queue of {function_name!r} is neither a JSON event "
            "nor a destination record, so there is nothing to run. It will be parked; find out who else sends to the "
            "queue besides Lambda."
        )
    return FailureRecord(
        failed_at=_sent_at(record),
        key=_key(record, function_name, _attribute(record, "RequestID")),
        event=json_slice.encode(body),
        form=DEAD_LETTER,
        error_type=None,
        error_code=_attribute(record, "ErrorCode"),
        error_message=_attribute(record, "ErrorMessage"),
        invoke_count=None,
    )


def _destination_members(body: str) -> dict[str, json_slice.Member] | None:
    try:
        wrapped = {member.name: member for member in json_slice.members(body)}
    except (json.JSONDecodeError, RecursionError):
        return None
    context = wrapped.get("requestContext")
    if context is None or "requestPayload" not in wrapped or not isinstance(context.value, dict):
        return None
    return wrapped if {"functionArn", "condition"} <= context.value.keys() else None


def _destination(record: SQSRecord, wrapped: dict[str, json_slice.Member], function_name: str) -> FailureRecord:
    context = wrapped["requestContext"].value
    response = wrapped["responsePayload"].value if "responsePayload" in wrapped else None
    named = _FUNCTION_ARN.fullmatch(_field(context, "functionArn") or "")
    if named is not None and named["name"] != function_name:
        raise UnreadableRecordError(
            f"the message {record.message_id!r} is a failure of the function {named['name']!r}, but this is the queue "
            f"of {function_name!r}, whose code must not run it. It will be parked; send each function's failures to "
            "its own queue."
        )
    count = _field(context, "approximateInvokeCount")
    qualifier = _qualifier(named["qualifier"] if named is not None else None)
    return FailureRecord(
        failed_at=_sent_at(record),
        key=_key(record, function_name, _field(context, "requestId")),
        event=json_slice.encode(wrapped["requestPayload"].text),
        form=DESTINATION,
        error_type=_field(response, "errorType"),
        error_code=_field(context, "condition"),
        error_message=_field(response, "errorMessage"),
        invoke_count=int(count) if count is not None and count.isascii() and count.isdigit() else None,
        version=_version(wrapped, qualifier),
        qualifier=qualifier,
    )


def _version(wrapped: Mapping[str, json_slice.Member], qualifier: str | None) -> str | None:
    """Return the version that ran; a record of an event that was never tried names at most the one that was invoked."""
    response = wrapped["responseContext"].value if "responseContext" in wrapped else None
    executed = _field(response, "executedVersion")
    version = _qualifier(executed) if executed is not None else qualifier
    return version if version is not None and version.isdigit() else None


def _qualifier(text: str | None) -> str | None:
    return text if text is not None and _QUALIFIER.fullmatch(text) else None


def _sent_at(record: SQSRecord) -> datetime | None:
    milliseconds = record.attributes.sent_timestamp or ""
    return datetime.fromtimestamp(int(milliseconds) / 1000, tz=UTC) if milliseconds.isdigit() else None


def _key(record: SQSRecord, function_name: str, request_id: str | None) -> RunKey:
    # Emulators omit the request id. The message id identifies the run just as well: it survives redelivery.
    try:
        return RunKey(function_name, request_id or record.message_id)
    except InvalidRunKeyError as error:
        raise UnreadableRecordError(
            f"the message {record.message_id!r} does not identify an invocation: {error} It will be parked."
        ) from error


def _attribute(record: SQSRecord, name: str) -> str | None:
    attribute = record.message_attributes.get(name)
    return attribute.get("stringValue") if attribute is not None else None


def _field(value: object, name: str) -> str | None:
    field = value.get(name) if isinstance(value, dict) else None
    return field if isinstance(field, str) else None
