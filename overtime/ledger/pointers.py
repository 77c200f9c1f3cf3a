"""Pointer records: messages on a function's failure queue that name a run instead of carrying an event.

The watcher sends one to relaunch a run, the dispatcher to defer one. If no further task would help, the watcher puts it
on the parking queue, from which an operator moves it back. It is small however large the run's event is, and it is a
new message, so it has spent no receives.

    attribute  OvertimePointer = <function name>/<request id>
    body       {"overtime": {"run_key": "<function name>/<request id>", "attempt": 2, "turn": 0}}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.contract.runs import InvalidRunKeyError, RunKey
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ATTRIBUTE = "OvertimePointer"
LONGEST_DELAY = 900
"""SQS's longest delay of a message in seconds."""


class InvalidPointerError(OvertimeError):
    """A message has the attribute of a pointer record, but is not a valid one."""


class PointerNotSentError(OvertimeError):
    """SQS rejected a pointer record, or did not confirm it."""


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """The run to continue, and its task attempt."""

    key: RunKey
    attempt: int
    turn: int = 0
    """How often the attempt was deferred; a record with a lower turn than the ledger's is stale."""


def body(pointer: Pointer) -> str:
    """Return the message body of a pointer."""
    return json.dumps(
        {"overtime": {"run_key": str(pointer.key), "attempt": pointer.attempt, "turn": pointer.turn}},
        separators=(",", ":"),
    )


def parse(text: str) -> Pointer:
    """Read a pointer from a message body. Raise InvalidPointerError, whose text does not quote the body."""
    try:
        named = json.loads(text)["overtime"]
        key, attempt, turn = RunKey.parse(named["run_key"]), named["attempt"], named.get("turn", 0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InvalidRunKeyError) as error:
        raise InvalidPointerError(
            f"the message has the attribute {ATTRIBUTE}, but its body does not name a run ({type(error).__name__}). "
            "Only overtime sends such messages; find out who else sends to the queue."
        ) from error
    if type(attempt) is not int or type(turn) is not int or attempt < 1 or turn < 0:
        raise InvalidPointerError(
            f"the message names the run {key}, but its attempt or turn is not a valid number. Only overtime sends such "
            "messages; find out who else sends to the queue."
        )
    return Pointer(key=key, attempt=attempt, turn=turn)


def send(sqs: SQSClient, queue_url: str, pointer: Pointer, *, delay: float) -> None:
    """Send a pointer record, due for delivery in `delay` seconds. Raise PointerNotSentError."""
    try:
        sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=body(pointer),
            DelaySeconds=min(LONGEST_DELAY, max(0, round(delay))),
            MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": str(pointer.key)}},
        )
    except (ClientError, BotoCoreError) as error:
        raise PointerNotSentError(
            f"the run {pointer.key} waits for task attempt {pointer.attempt}, but its pointer record could not be sent "
            f"to the queue {queue_url!r} ({error}). Retrying is safe; check the queue and the role's permission to "
            "send to it."
        ) from error
