"""Handles one failure record, from the queue to RunTask.

    read ─► event and run recorded ─► queued ─► slot acquired ─► launching ─► RunTask ─► task recorded ─► done

A delivery after a crash, or of a duplicate, finds the run in the ledger and continues from its state:

| the run is | the record |
|---|---|
| queued | launches it if a slot is free; otherwise defers it |
| launching, without a task | calls RunTask again with the same token: same task (see `launch`) |
| launching, with a task; running; finished | is a duplicate and acknowledged |
| skipped | revives it if the rule now names its failure; otherwise goes to the parking queue (again) |
| at a newer attempt or turn than the record | is stale and acknowledged; Lambda's own records are attempt 1, turn 0 |

To defer a run, the dispatcher sends a delayed pointer record to the same queue and then acknowledges this record, so
waiting for a slot or for ECS spends no receives and parks nothing. A run that waits for ECS keeps its slot. Only the
watcher releases slots, because another delivery may just have started the task.
"""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.contract.runs import RunState
from overtime.errors import OvertimeError
from overtime.lambdas.dispatcher import launch
from overtime.lambdas.dispatcher.failure_record import FailureRecord, UnreadableRecordError, parse, pointer_of
from overtime.lambdas.dispatcher.launch import Launched, NoCapacity, Rejected, Throttled, Unclear
from overtime.lambdas.dispatcher.rescue import HandOver, Skip, decide
from overtime.ledger import pointers
from overtime.ledger.answers import Moved
from overtime.ledger.pointers import Pointer
from overtime.ledger.run import Failure

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

    from overtime.contract.runs import RunKey
    from overtime.lambdas.dispatcher.config import Config
    from overtime.lambdas.dispatcher.launch import Outcome
    from overtime.ledger.answers import AlreadyRecorded, Recorded, Refused
    from overtime.ledger.run import Run
    from overtime.ledger.slots import Slots
    from overtime.ledger.store import RunLedger

_FIRST_DELAY, _LONGEST_DELAY = 5, 300
"""Delays of deferrals in seconds: doubled each turn, and reduced at random by up to half to spread the records."""

_REVIVED = "its record was delivered again, and the rescue rule now names its failure"


class NotDispatchedError(OvertimeError):
    """A delivery of a record started no task; the queue delivers the record again, or parks it."""

    def __init__(self, text: str, *, parked: bool | None = None) -> None:
        super().__init__(text)
        self.parked = parked
        """Whether the run is now recorded as parked; None if this delivery wrote nothing about it."""


class Result(StrEnum):
    """What happened to a record that needs no further delivery."""

    STARTED = "started"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"
    HELD = "held"


@dataclass(frozen=True, kw_only=True)
class Done:
    """A record that can be acknowledged."""

    key: RunKey
    result: Result
    task_arn: str | None = None
    reason: str | None = None
    """Why the run is deferred."""


@dataclass(frozen=True, kw_only=True)
class Dispatcher:
    """Turns failure records into tasks, one at a time; a record may be dispatched any number of times."""

    config: Config
    ledger: RunLedger
    ecs: ECSClient
    sqs: SQSClient
    slots: Slots | None = None
    """The function's slots; None if its tasks are not limited."""

    def dispatch(self, record: SQSRecord) -> Done:
        """Handle one message.

        Raise UnreadableRecordError, NotDispatchedError, PointerNotSentError or LedgerUnavailableError if the queue must
        deliver it again.
        """
        pointer = pointer_of(record, self.config.function_name)
        if pointer is not None:
            return self._resume(pointer, record)
        failed = parse(record, self.config.function_name)
        decision = decide(failed, rules=self.config.rescue, lambda_attempts=self.config.lambda_attempts)
        recorded = self._record(failed, decision)
        own = Pointer(key=failed.key, attempt=1)
        if recorded.run.state is not RunState.SKIPPED:
            return self._go_on(recorded.run, own, record)
        if isinstance(decision, HandOver):
            return self._go_on(self._revived(recorded.run, failed), own, record)
        # Counted when it is parked: the delivery that recorded it may have crashed before it could count it.
        self._park(record)
        return Done(key=recorded.run.key, result=Result.SKIPPED)

    def _resume(self, pointer: Pointer, record: SQSRecord) -> Done:
        run = self.ledger.get(pointer.key)
        if run is None:
            raise UnreadableRecordError(
                f"the message {record.message_id!r} names the run {pointer.key}, which is not in the ledger: "
                "it has expired, or was never recorded. The message will be parked."
            )
        return self._go_on(run, pointer, record)

    def _go_on(self, run: Run, pointer: Pointer, record: SQSRecord) -> Done:
        unanswered = run.state is RunState.LAUNCHING and run.task_arn is None
        # Only one record of a run is valid. If stale ones were tried, too, several could use up their receives.
        stale = (pointer.attempt, pointer.turn) < (run.attempt, run.turn)
        if stale or (run.state is not RunState.QUEUED and not unanswered):
            return Done(key=run.key, result=Result.DUPLICATE, task_arn=run.task_arn)
        most = self.config.max_concurrent_runs
        if self.slots is not None and most is not None and not self.slots.take(run.key, run.attempt, most=most):
            return self._hold(run, f"all {most} slots of the function are occupied")
        return self._launch(run, record, began=False) if unanswered else self._begin(run, record)

    def _record(self, failed: FailureRecord, decision: HandOver | Skip) -> Recorded | AlreadyRecorded:
        return self.ledger.record(
            failed.key,
            failed.event,
            failure=Failure(
                form=failed.form,
                error_code=failed.error_code,
                error_message=failed.error_message,
                invoke_count=failed.invoke_count,
                failed_at=failed.failed_at,
                version=failed.version,
                qualifier=failed.qualifier,
            ),
            runs_days=self.config.runs_days,
            state=RunState.SKIPPED if isinstance(decision, Skip) else RunState.QUEUED,
            reason=decision.reason if isinstance(decision, Skip) else None,
        )

    def _revived(self, run: Run, failed: FailureRecord) -> Run:
        """Revive a skipped run, and return it as this or another delivery has just changed it."""
        moved = self.ledger.revive(run, failed.event, _REVIVED, runs_days=self.config.runs_days)
        if moved.run is None or moved.run.state is RunState.SKIPPED:
            raise NotDispatchedError(
                f"the run {run.key} was changed before it could be revived; the queue delivers the record again."
            )
        return moved.run

    def _begin(self, run: Run, record: SQSRecord) -> Done:
        moved = self.ledger.launching(run.key, run.attempt, remember=run.remembers, unparked=run.is_parked)
        if isinstance(moved, Moved):
            return self._launch(moved.run, record, began=True)
        now = moved.run
        if now is None or now.state is RunState.QUEUED:
            raise NotDispatchedError(
                f"the run {run.key} was changed before it could be launched; the queue delivers the record again."
            )
        if now.state is RunState.LAUNCHING and now.task_arn is None and now.attempt == run.attempt:
            return self._launch(now, record, began=False)
        return Done(key=run.key, result=Result.DUPLICATE, task_arn=now.task_arn)

    def _launch(self, run: Run, record: SQSRecord, *, began: bool) -> Done:
        match self._started(run):
            case Launched(task_arn):
                written = self.ledger.launched(
                    run.key, run.attempt, task_arn, remember=run.remembers, unparked=run.is_parked
                )
                # Refused: the task has already claimed the run, or another delivery has recorded the same task.
                started = began or isinstance(written, Moved)
                return Done(key=run.key, result=Result.STARTED if started else Result.DUPLICATE, task_arn=task_arn)
            case NoCapacity(reason) | Throttled(reason):
                self._release(run, reason)
                return self._hold(run, reason)
            case Rejected(reason):
                receives = int(record.attributes.approximate_receive_count or 1)
                parked = receives >= self.config.max_receive_count
                text = f"parked after {receives} receives: {reason}" if parked else reason
                written = self._release(run, text, parked=parked)
                raise NotDispatchedError(
                    f"no task started for the run {run.key} ({text}), so it is queued again. The queue delivers the "
                    "record again; if this persists, fix what ECS names and move the parked records back.",
                    parked=parked and isinstance(written, Moved),
                )
            case Unclear(reason):
                return self._hold(run, reason)

    def _started(self, run: Run) -> Outcome:
        planned = launch.plan(self.config, run)
        outcome = launch.launch(self.ecs, planned)
        if not (planned.spot and isinstance(outcome, NoCapacity)):
            return outcome
        # Recorded before the call, so that a repeated call does not request a second task on Spot.
        reason = f"Spot has no capacity ({outcome.reason}), so the task is requested on demand"
        if not isinstance(self.ledger.fall_back(run.key, run.attempt, reason), Moved):
            return outcome
        return launch.launch(self.ecs, launch.plan(self.config, run, on_demand=True))

    def _hold(self, run: Run, reason: str) -> Done:
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(run.turn, 10)) * random.uniform(0.5, 1)  # noqa: S311 -- no secret
        pointer = Pointer(key=run.key, attempt=run.attempt, turn=run.turn + 1)
        pointers.send(self.sqs, self.config.queue_url, pointer, delay=delay)
        # Refused: the run has continued, or another delivery has deferred it, so one of the pointer records is stale.
        self.ledger.hold(run.key, run.attempt, turn=pointer.turn, delay=delay, reason=reason, unparked=run.is_parked)
        return Done(key=run.key, result=Result.HELD, reason=reason)

    def _release(self, run: Run, reason: str, *, parked: bool = False) -> Moved | Refused:
        return self.ledger.release(
            run.key, run.attempt, reason, remember=run.remembers, parked=parked, unparked=run.is_parked
        )

    def _park(self, record: SQSRecord) -> None:
        attributes: dict[str, MessageAttributeValueTypeDef] = {}
        for name, attribute in record.message_attributes.items():
            value: MessageAttributeValueTypeDef = {"DataType": attribute["dataType"]}
            if attribute.get("stringValue") is not None:
                value["StringValue"] = attribute["stringValue"]
            if attribute.get("binaryValue") is not None:
                value["BinaryValue"] = base64.b64decode(attribute["binaryValue"])
            attributes[name] = value
        try:
            self.sqs.send_message(
                QueueUrl=self.config.parking_queue_url, MessageBody=record.body, MessageAttributes=attributes
            )
        except (ClientError, BotoCoreError) as error:
            raise NotDispatchedError(
                f"the message {record.message_id!r} of a skipped run could not be sent to the parking queue "
                f"{self.config.parking_queue_url!r} ({error}). The failure queue delivers it again; check the parking "
                "queue and the role's permission to send to it."
            ) from error
