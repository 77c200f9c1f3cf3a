"""One failure record, from the queue to a task that was asked for.

    read ─► event and run into the ledger ─► queued ─► launching ─► RunTask ─► its task written down ─► acknowledged

A crash at any point, and any duplicate, meets the run in the ledger and goes on from its state:

| the run is | the record |
|---|---|
| queued | launches it |
| launching, no task named | calls RunTask again with the same token: same task (see `launch`) |
| launching, task named; running; finished | is a duplicate and acknowledged |
| skipped | goes to the parking queue (again), then is acknowledged |
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.dispatcher import launch
from lambdas.dispatcher.failure_record import FailureRecord, parse
from lambdas.dispatcher.launch import Launched, NotLaunched, Unclear
from lambdas.dispatcher.rescue import Skip, decide
from overtime.errors import OvertimeError
from overtime.ledger.model import RunState
from overtime.ledger.run import Failure
from overtime.ledger.store import AlreadyRecorded, Moved, Recorded

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

    from lambdas.dispatcher.config import Config
    from overtime.ledger.model import RunKey
    from overtime.ledger.run import Run
    from overtime.ledger.store import RunLedger

_LONG_HISTORY = 100
"""Steps after which further tries to launch leave the history as it is: an item holds 400 KB at most."""


class NotDispatchedError(OvertimeError):
    """A record could not be turned into a task now; the queue delivers it again, or parks it."""


class Result(StrEnum):
    """What became of a record that needs no further delivery."""

    STARTED = "started"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, kw_only=True)
class Done:
    """A record that can be acknowledged."""

    key: RunKey
    result: Result
    task_arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class Dispatcher:
    """Turns failure records into tasks, one at a time; safe to call again with the same record at any point."""

    config: Config
    ledger: RunLedger
    ecs: ECSClient
    sqs: SQSClient

    def dispatch(self, record: SQSRecord) -> Done:
        """Handle one message.

        Raises UnreadableRecordError, NotDispatchedError or LedgerUnavailableError where the queue is to deliver again.
        """
        failed = parse(record, self.config.function_name)
        recorded = self._record(failed)
        run = recorded.run
        match run.state:
            case RunState.SKIPPED:
                self._park(record)
                again = isinstance(recorded, AlreadyRecorded)
                return Done(key=run.key, result=Result.DUPLICATE if again else Result.SKIPPED)
            case RunState.QUEUED:
                return self._begin(run, record)
            case RunState.LAUNCHING if run.task_arn is None:
                return self._launch(run, record, began=False)
            case _:
                return Done(key=run.key, result=Result.DUPLICATE, task_arn=run.task_arn)

    def _record(self, failed: FailureRecord) -> Recorded | AlreadyRecorded:
        decision = decide(failed, rules=self.config.rescue, attempts=self.config.attempts)
        return self.ledger.record(
            failed.key,
            failed.event,
            failure=Failure(
                form=failed.form,
                error_code=failed.error_code,
                error_message=failed.error_message,
                invoke_count=failed.invoke_count,
            ),
            runs_days=self.config.runs_days,
            state=RunState.SKIPPED if isinstance(decision, Skip) else RunState.QUEUED,
            reason=decision.reason if isinstance(decision, Skip) else None,
        )

    def _begin(self, run: Run, record: SQSRecord) -> Done:
        moved = self.ledger.launching(run.key, run.attempt, remember=len(run.history) < _LONG_HISTORY)
        if isinstance(moved, Moved):
            return self._launch(moved.run, record, began=True)
        if moved.run is None or moved.run.state is RunState.QUEUED:
            raise NotDispatchedError(
                f"the run {run.key} changed while it was to be launched; the queue delivers the record again."
            )
        if moved.run.state is RunState.LAUNCHING and moved.run.task_arn is None:
            return self._launch(moved.run, record, began=False)
        return Done(key=run.key, result=Result.DUPLICATE, task_arn=moved.run.task_arn)

    def _launch(self, run: Run, record: SQSRecord, *, began: bool) -> Done:
        outcome = launch.launch(self.ecs, launch.plan(self.config, run.key, run.attempt))
        match outcome:
            case Launched(task_arn):
                written = self.ledger.launched(run.key, run.attempt, task_arn)
                # Refused means that the task claimed the run first, or that another delivery wrote the same task down.
                started = began or isinstance(written, Moved)
                return Done(key=run.key, result=Result.STARTED if started else Result.DUPLICATE, task_arn=task_arn)
            case NotLaunched(reason):
                told = self._told(reason, record)
                self.ledger.release(run.key, run.attempt, told, remember=len(run.history) < _LONG_HISTORY)
                raise NotDispatchedError(
                    f"no task started for the run {run.key} ({told}), so it is queued again. The queue delivers the "
                    "record again; if it does not pass, mend what ECS names and move the parked records back."
                )
            case Unclear(reason):
                told = self._told(reason, record)
                self.ledger.note(run.key, run.attempt, told)
                raise NotDispatchedError(
                    f"whether a task started for the run {run.key} is not known ({told}), so it stays launching. The "
                    "queue delivers the record again, and the same client token then names the same task."
                )

    def _told(self, reason: str, record: SQSRecord) -> str:
        receives = int(record.attributes.approximate_receive_count or 1)
        if receives < self.config.max_receive_count:
            return reason
        return f"parked after {receives} receives: {reason}"

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
                f"the message {record.message_id!r}, which is not rescued, could not be sent on to the parking queue "
                f"{self.config.parking_queue_url!r} ({error}). The failure queue delivers it again; check the queue "
                "and the role's permission to send to it."
            ) from error
