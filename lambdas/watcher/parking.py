"""The parking queues: the watcher parks runs there, and finds the records that SQS itself has parked.

SQS parks a record after its last receive, even if no dispatcher could record that: Lambda was throttled, or the
dispatcher ran out of time or crashed. So the watcher scans the queue. If it finds the valid record of a run (see
`overtime.ledger.pointers`), it marks the run as parked; if a record's run is not in the ledger, it counts the record as
parked. Any other record is stale: its run has continued with another one.

It scans a queue when its number of messages has changed, and every hour. It also measures the age of the oldest
message, because SQS's own metric excludes messages that were received three times, including by the watcher.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from overtime.contract import metrics
from overtime.contract.runs import InvalidRunKeyError, RunKey
from overtime.errors import OvertimeError
from overtime.lambdas.watcher.backlog import messages_on
from overtime.lambdas.watcher.verdict import MOST_REFUSALS
from overtime.ledger import pointers
from overtime.ledger.answers import Moved
from overtime.ledger.looks import Look
from overtime.ledger.pointers import InvalidPointerError, Pointer
from overtime.ledger.run import UnreadableItemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from overtime.contract.functions_table import FunctionSettings
    from overtime.lambdas.watcher.meter import Meter
    from overtime.ledger.looks import Looks
    from overtime.ledger.run import Run
    from overtime.ledger.store import RunLedger

_MOST_LOOKS, _AT_ONCE = 50, 10
_HIDDEN_SECONDS = 30
"""Visibility timeout, so that a scan reads each message once; meanwhile, operators do not see these messages."""
_REQUEST_ID = "RequestID"
_SENT: Final = "SentTimestamp"
_LOOK_SECONDS = 3_600
_YOUNG_SECONDS = 86_400
"""The age from which `OldestParked` is written; younger messages are of no interest."""


class ParkingUnavailableError(OvertimeError):
    """A parking queue could not be scanned."""


@dataclass(frozen=True, kw_only=True)
class Parking:
    """The parking queues of a stack's functions, each scanned at most once."""

    functions: Mapping[str, FunctionSettings]
    ledger: RunLedger
    looks: Looks
    sqs: SQSClient
    meter: Meter
    noted: Callable[[str, Run, str | None], None]
    """See `Watcher.noted`."""
    _found: dict[str, Mapping[RunKey, Pointer]] = field(default_factory=dict)

    def park(self, run: Run) -> None:
        """Send the pointer record of a run that no further task would help to the parking queue.

        The turn is written first, so only one of several concurrent callers sends a record. If the watcher crashes
        after that and parks the run again later, the older record is stale.
        """
        function = self.functions.get(run.key.function_name)
        if function is None or function.parking_queue_url is None:
            return
        said = run.reason or "ECS gives no reason"
        taken = self.ledger.hold(run.key, run.attempt, turn=run.turn + 1, delay=0, reason=said)
        if not isinstance(taken, Moved):
            return
        pointer = Pointer(key=run.key, attempt=run.attempt, turn=taken.run.turn)
        pointers.send(self.sqs, function.parking_queue_url, pointer, delay=0)
        self._write(taken.run, f"parked after {MOST_REFUSALS} tasks that could not start: {said}")

    def look(self, function_name: str, now: float) -> None:
        """Scan a function's parking queue if something may be new, and measure the age of its oldest message.

        Raise ParkingUnavailableError or LedgerUnavailableError.
        """
        function = self.functions.get(function_name)
        url = function.parking_queue_url if function else None
        messages = self._number(url) if url is not None else 0
        if url is None or not messages:
            return
        look = self.looks.latest(function_name)
        if messages != look.messages or now - look.looked_at / 1000 > _LOOK_SECONDS:
            look = self._look_through(function_name, url, look, messages, now)
        age = now - look.oldest_sent / 1000
        if look.oldest_sent and age > _YOUNG_SECONDS:
            self.meter.measure(function_name, metrics.OLDEST_PARKED, age)

    def find(self, run: Run) -> bool:
        """Return whether the scan found the valid record of this run, and if so, record the run as parked."""
        parked = self._found.get(run.key.function_name, {}).get(run.key)
        if parked is None or not _counts(parked, run):
            return False
        before = f"; before, it waited because: {run.reason}" if run.reason else ""
        self._write(run, f"parked by the queue, because its last delivery was not dispatched{before}")
        return True

    def _write(self, run: Run, reason: str) -> None:
        parked = self.ledger.park(run.key, run.attempt, reason, turn=run.turn)
        if isinstance(parked, Moved):
            self.noted("run parked", parked.run, None)
            self.meter.measure(run.key.function_name, metrics.RUNS_PARKED)

    def _look_through(self, function_name: str, url: str, last: Look, messages: int, now: float) -> Look:
        """Scan a queue, and count the records whose runs are not in the ledger: once each, by their time of sending.

        If it finds the record of a run that is not marked as parked yet, the next round scans again.
        """
        found: dict[RunKey, Pointer] = {}
        sent, unrecorded, settled = [], [], True
        for message in self._messages(url):
            sent.append(_sent(message))
            pointer = _pointer(message, function_name)
            if pointer is None:
                continue
            known = found.get(pointer.key)
            if known is None or (known.attempt, known.turn) < (pointer.attempt, pointer.turn):
                found[pointer.key] = pointer
            try:
                run = self.ledger.get(pointer.key)
            except UnreadableItemError:
                continue  # reconciling reports it
            if run is None and pointers.ATTRIBUTE not in message.get("MessageAttributes", {}):
                unrecorded.append(sent[-1])
            elif run is not None and not run.finished and run.task_arn is None and not run.is_parked:
                settled = settled and not _counts(pointer, run)
        self._found[function_name] = found
        new = sum(each > last.counted_sent for each in unrecorded)
        if new:
            self.meter.measure(function_name, metrics.RUNS_PARKED, new)
        look = Look(
            looked_at=round(now * 1000),
            messages=messages if sent and settled else 0,
            oldest_sent=min(sent, default=0),
            counted_sent=max(unrecorded, default=last.counted_sent),
        )
        self.looks.remember(function_name, look)
        return look

    def _number(self, url: str) -> int:
        try:
            return messages_on(self.sqs, url)
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(url, error) from error

    def _messages(self, url: str) -> Iterator[MessageTypeDef]:
        for _ in range(_MOST_LOOKS):
            try:
                answer = self.sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=_AT_ONCE,
                    MessageAttributeNames=[pointers.ATTRIBUTE, _REQUEST_ID],
                    MessageSystemAttributeNames=[_SENT],
                    VisibilityTimeout=_HIDDEN_SECONDS,
                    WaitTimeSeconds=1,  # long polling; short polling asks only some of SQS's servers
                )
            except (ClientError, BotoCoreError) as error:
                raise _unavailable(url, error) from error
            if not answer.get("Messages"):
                return
            yield from answer["Messages"]


def _unavailable(url: str, error: Exception) -> ParkingUnavailableError:
    return ParkingUnavailableError(
        f"the parking queue {url!r} could not be scanned ({error}), so runs whose records SQS has parked may be "
        "unknown. The watcher retries in the next round; if this persists, check the role's permissions."
    )


def _counts(pointer: Pointer, run: Run) -> bool:
    """Return whether a record is valid: not older than the ledger, which may not have recorded the newest yet."""
    return (pointer.attempt, pointer.turn) >= (run.attempt, run.turn)


def _sent(message: MessageTypeDef) -> int:
    """Return when a message was first sent, in milliseconds since the epoch; SQS deletes it 14 days later."""
    return int(message["Attributes"][_SENT])


def _pointer(message: MessageTypeDef, function_name: str) -> Pointer | None:
    """Return the pointer to a message's run, or None; Lambda's own record is attempt 1, turn 0."""
    attributes, text = message.get("MessageAttributes", {}), message.get("Body", "")
    try:
        if pointers.ATTRIBUTE in attributes:
            return pointers.parse(text)
        if _REQUEST_ID in attributes:
            request_id = attributes[_REQUEST_ID].get("StringValue", "")
        else:  # a record of an on-failure destination
            request_id = str(json.loads(text)["requestContext"]["requestId"])
        return Pointer(key=RunKey(function_name, request_id), attempt=1)
    except (InvalidPointerError, InvalidRunKeyError, ValueError, TypeError, KeyError, RecursionError):
        return None  # the dispatcher could not have recorded it either
