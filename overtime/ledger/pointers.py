"""Pointer records: messages on a function's failure queue that name a run which is recorded already.

The watcher sends one when it relaunches a run, the dispatcher when it holds one. Where no further task would help, the
watcher puts it on the parking queue, from which a person moves it back. It carries no event, so it is small whatever
the run's event is, and it is a new message, so it has spent no receives.

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
"""Seconds that SQS keeps a message back at most."""


class InvalidPointerError(OvertimeError):
    """A message says that it points at a run, and does not."""


class PointerNotSentError(OvertimeError):
    """The queue did not take a pointer record, or did not say so."""


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """Which run is to go on, and as which task attempt."""

    key: RunKey
    attempt: int
    turn: int = 0
    """How often the attempt was held; a record whose turn the ledger has passed is stale."""


def body(pointer: Pointer) -> str:
    """Write a pointer down."""
    return json.dumps(
        {"overtime": {"run_key": str(pointer.key), "attempt": pointer.attempt, "turn": pointer.turn}},
        separators=(",", ":"),
    )


def parse(text: str) -> Pointer:
    """Read a pointer; raises InvalidPointerError, whose text holds nothing of what was found."""
    try:
        named = json.loads(text)["overtime"]
        key, attempt, turn = RunKey.parse(named["run_key"]), named["attempt"], named.get("turn", 0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InvalidRunKeyError) as error:
        raise InvalidPointerError(
            f"the message has the attribute {ATTRIBUTE}, but its body names no run ({type(error).__name__}). Only "
            "overtime sends such messages; look at who else sends to the queue."
        ) from error
    if type(attempt) is not int or type(turn) is not int or attempt < 1 or turn < 0:
        raise InvalidPointerError(
            f"the message points at the run {key}, but its attempt and turn are no counts. Only overtime sends such "
            "messages; look at who else sends to the queue."
        )
    return Pointer(key=key, attempt=attempt, turn=turn)


def send(sqs: SQSClient, queue_url: str, pointer: Pointer, *, delay: float) -> None:
    """Put a pointer on the queue, to be delivered in `delay` seconds; raises PointerNotSentError."""
    try:
        sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=body(pointer),
            DelaySeconds=min(LONGEST_DELAY, max(0, round(delay))),
            MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": str(pointer.key)}},
        )
    except (ClientError, BotoCoreError) as error:
        raise PointerNotSentError(
            f"the run {pointer.key} waits for task attempt {pointer.attempt}, but the record that brings it there "
            f"could not be put on the queue {queue_url!r} ({error}). Trying again is safe; check "
            "the queue and the role's permission to send to it."
        ) from error
