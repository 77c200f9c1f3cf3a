"""The parking queues: how the watcher puts a run's record there, and what it finds there that the queue itself parked.

SQS parks a record when its last receive is spent, also where no dispatcher ever saw it: Lambda was throttled, or the
dispatcher ran out of time or died. Nobody tells the ledger of that, so the watcher looks. A record that counts for its
run (see `overtime.ledger.pointers`) makes the run parked; any other is what a run that went on has left behind.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.watcher.verdict import MOST_REFUSALS
from overtime.errors import OvertimeError
from overtime.ledger import pointers
from overtime.ledger.answers import Moved
from overtime.ledger.model import InvalidRunKeyError, RunKey
from overtime.ledger.pointers import InvalidPointerError, Pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from lambdas.watcher.config import FunctionSettings
    from lambdas.watcher.watch import Meter
    from overtime.ledger.run import Run
    from overtime.ledger.store import RunLedger

_MOST_LOOKS, _AT_ONCE = 50, 10
_HIDDEN_SECONDS = 30
"""While the watcher looks through a queue, what it has seen stays away; a person who looks then may see less."""
_REQUEST_ID = "RequestID"


class ParkingUnavailableError(OvertimeError):
    """SQS did not say what is on a parking queue."""


@dataclass(frozen=True, kw_only=True)
class Parking:
    """The parking queues of a stack's functions, each looked through at most once."""

    functions: Mapping[str, FunctionSettings]
    ledger: RunLedger
    sqs: SQSClient
    meter: Meter
    noted: Callable[[str, Run, str | None], None]
    """See the watcher's."""
    _found: dict[str, Mapping[RunKey, Pointer]] = field(default_factory=dict)

    def park(self, run: Run) -> None:
        """Put the record of a run on the parking queue that no further task would help; of several who try, one does.

        The turn is written first. So a record that is sent twice, because its sender died before it could say so,
        counts once: the older one has a turn that the ledger has passed.
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

    def find(self, run: Run) -> bool:
        """Tell whether the queue itself has parked the record that counts for this run; then the ledger knows it, too.

        Raises ParkingUnavailableError.
        """
        name = run.key.function_name
        if name not in self._found:
            self._found[name] = self._records(name)
        parked = self._found[name].get(run.key)
        if parked is None or (parked.attempt, parked.turn) < (run.attempt, run.turn):
            return False
        before = f"; before, it waited because: {run.reason}" if run.reason else ""
        self._write(run, f"parked by the queue, because its last receive was spent without a dispatch{before}")
        return True

    def _write(self, run: Run, reason: str) -> None:
        parked = self.ledger.park(run.key, run.attempt, reason, turn=run.turn)
        if isinstance(parked, Moved):
            self.noted("run parked", parked.run, None)
            self.meter.count(run.key.function_name, "RunsParked")

    def _records(self, function_name: str) -> Mapping[RunKey, Pointer]:
        function = self.functions.get(function_name)
        if function is None or function.parking_queue_url is None:
            return {}
        found: dict[RunKey, Pointer] = {}
        for message in self._messages(function.parking_queue_url):
            pointer = _pointer(message, function_name)
            known = found.get(pointer.key) if pointer else None
            if pointer and (known is None or (known.attempt, known.turn) < (pointer.attempt, pointer.turn)):
                found[pointer.key] = pointer
        return found

    def _messages(self, url: str) -> Iterator[MessageTypeDef]:
        for _ in range(_MOST_LOOKS):
            try:
                answer = self.sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=_AT_ONCE,
                    MessageAttributeNames=[pointers.ATTRIBUTE, _REQUEST_ID],
                    VisibilityTimeout=_HIDDEN_SECONDS,
                    WaitTimeSeconds=1,  # without, only some of SQS's servers are asked, and "empty" means nothing
                )
            except (ClientError, BotoCoreError) as error:
                raise ParkingUnavailableError(
                    f"the parking queue {url!r} could not be looked through ({error}), so whether runs that nobody "
                    "launches are parked is not known. The watcher looks again the next time it reconciles; check the "
                    "role's permissions if it lasts."
                ) from error
            if not answer.get("Messages"):
                return
            yield from answer["Messages"]


def _pointer(message: MessageTypeDef, function_name: str) -> Pointer | None:
    """Tell which run a message is for: a failure record counts as the pointer of attempt 1, turn 0."""
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
        return None  # nothing that the dispatcher could have recorded either
