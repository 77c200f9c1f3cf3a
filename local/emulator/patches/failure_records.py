"""What Lambda says of an asynchronous invocation that failed for good, in both forms. Pure functions.

Lambda developer guide, "Retaining records of asynchronous invocations".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ERROR_MESSAGE_BYTES = 1024
FUNCTION_ERROR_CODE = 200
THROTTLED_CODE = 429
# The words of the service, its missing blank included.
NO_CONCURRENCY = "Function not invoked. Function isconfigured with zero reserved concurrent executions"

_THROWN_IN_NODEJS = re.compile(r"^(?P<type>[A-Za-z_$][\w$]*)(: .*)?(\n    at .*)+\Z", re.MULTILINE)
"""The end of the log of an attempt that threw: the error, then its frames."""


class Condition(StrEnum):
    """Why Lambda gave up."""

    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An invocation that Lambda gave up."""

    request_id: str
    function_arn: str
    """With the qualifier that was invoked, `$LATEST` when there was none."""
    version: str
    body: bytes
    """The event as sent."""
    condition: Condition
    attempts: int
    timestamp: str
    error: dict[str, Any] | None
    """The last attempt's error document; None when there was no attempt."""
    throttled: bool = False


def dead_letter_attributes(failure: Failure) -> dict[str, dict[str, str]]:
    """Make the attributes of the dead-letter message; its body is the event, untouched."""
    if failure.condition is Condition.ZERO_RESERVED_CONCURRENCY:
        code, message = THROTTLED_CODE, NO_CONCURRENCY
    elif failure.throttled or failure.error is None:
        code, message = THROTTLED_CODE, "Rate Exceeded."
    else:
        code, message = FUNCTION_ERROR_CODE, str(failure.error.get("errorMessage", ""))
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": failure.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": str(code)},
    }
    if text := first_bytes(message, ERROR_MESSAGE_BYTES):
        attributes["ErrorMessage"] = {"DataType": "String", "StringValue": text}
    return attributes


def destination_record(failure: Failure) -> str:
    """Make the record that an on-failure destination gets."""
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": failure.timestamp,
        "requestContext": {
            "requestId": failure.request_id,
            "functionArn": failure.function_arn,
            "condition": failure.condition,
            "approximateInvokeCount": failure.attempts,
        },
        "requestPayload": json.loads(failure.body),
    }
    if failure.error is not None:
        record["responseContext"] = {
            "statusCode": THROTTLED_CODE if failure.throttled else FUNCTION_ERROR_CODE,
            "executedVersion": failure.version,
            "functionError": "Unhandled",
        }
        record["responsePayload"] = failure.error
    return json.dumps(record, ensure_ascii=False)


def first_bytes(text: str, limit: int) -> str:
    """Cut text to so many bytes of UTF-8, at a character's end."""
    return text.encode()[:limit].decode(errors="ignore")


def error_document(result: dict[str, Any], *, request_id: str, now: str) -> dict[str, Any]:
    """Turn ministack's idea of a failed attempt into the error document that Lambda answers.

    A timeout names time and request; an exception has its own type and the frames of its stack trace, in the form of
    the function's language.
    """
    body = result.get("body")
    error = dict(body) if isinstance(body, dict) else {"errorMessage": str(body)}
    message = str(error.get("errorMessage", ""))
    if message.startswith("Task timed out after"):
        return {"errorType": "Sandbox.Timedout", "errorMessage": f"{now} {request_id} {message}"}
    if " Error: Runtime exited " in message:
        return {"errorType": "Runtime.ExitError", "errorMessage": message}
    log = str(result.get("log", "")).rstrip()
    frames = log.splitlines()
    kind = re.match(r"([A-Za-z_][\w.]*)(:|$)", frames[-1]) if frames else None
    thrown = _THROWN_IN_NODEJS.search(log)
    if error.get("errorType") == "Runtime.HandlerError" and thrown:
        error["errorType"] = thrown["type"]
        error["trace"] = thrown[0].splitlines()
    elif error.get("errorType") == "Runtime.HandlerError" and kind:
        error["errorType"] = kind[1].rpartition(".")[2]
        error["requestId"] = request_id
        error["stackTrace"] = [f"{frame}\n" for frame in frames if frame.startswith("  ")]
    return error
