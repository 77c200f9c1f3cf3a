"""Lambda's entry point: dispatches the records of a batch independently, so one may fail without the others.

Logs and metrics name runs and tasks, but never quote an event, a message body or a handler's error message.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError

from overtime.contract import metrics
from overtime.errors import OvertimeError
from overtime.lambdas.dispatcher.config import Config, ConfigError
from overtime.lambdas.dispatcher.dispatch import Dispatcher, Done, NotDispatchedError, Result
from overtime.lambdas.dispatcher.failure_record import UnreadableRecordError
from overtime.ledger.slots import Slots
from overtime.ledger.store import RunLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from overtime.contract.metrics import Metric

logger = Logger()
emf = Metrics()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

# Few and short retries: Lambda time spent waiting costs money, and the queue delivers the record again anyway.
_CONNECT_SECONDS, _READ_SECONDS, _TRIES, _PAUSE_SECONDS = 3, 5, 2, 1
_CLIENTS = ClientConfig(
    connect_timeout=_CONNECT_SECONDS,
    read_timeout=_READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": _TRIES},
    tcp_keepalive=True,
)
LONGEST_CALL = 1000 * (_TRIES * (_CONNECT_SECONDS + _READ_SECONDS) + (_TRIES - 1) * _PAUSE_SECONDS)
"""The longest duration of a call to AWS in milliseconds, including its retry; no call starts with less time left."""
ENOUGH_FOR_A_RECORD = 2 * LONGEST_CALL
"""Milliseconds that must be left to start a record: enough for a slow call and then the answer for the batch."""

_COUNTED = {
    Result.STARTED: metrics.RUNS_STARTED,
    Result.SKIPPED: metrics.RUNS_SKIPPED,
    Result.DUPLICATE: metrics.DUPLICATE_RECORDS,
    Result.HELD: metrics.RUNS_HELD,
}


class OutOfTimeError(OvertimeError):
    """A record was not started, because the invocation might have timed out before the record was done."""


class NoTimeForCallError(BotoCoreError):
    """A call to AWS was not made, because the invocation might have timed out before the answer."""

    fmt = "the call was not made, because the dispatcher's time is almost over"


class TimeLeft:
    """The time left in the current invocation.

    If an invocation times out, its answer is lost: all records of the batch are delivered again and spend a receive,
    even the dispatched ones. The dispatcher therefore stops before that.
    """

    def __init__(self) -> None:
        self.milliseconds: Callable[[], int] = lambda: ENOUGH_FOR_A_RECORD

    def check_record(self, message_id: str) -> None:
        """Raise OutOfTimeError if not enough time is left for a record."""
        left = self.milliseconds()
        if left < ENOUGH_FOR_A_RECORD:
            raise OutOfTimeError(
                f"the message {message_id!r} was not started: {left} ms of the dispatcher's time are left, and a "
                f"record may need {ENOUGH_FOR_A_RECORD}. The queue delivers it again; if this persists, AWS is slow to "
                "respond: see the previous log lines."
            )

    def check_call(self, **_: object) -> None:
        """Raise NoTimeForCallError if not enough time is left for a call; botocore invokes this before each one."""
        if self.milliseconds() < LONGEST_CALL:
            raise NoTimeForCallError


time_left = TimeLeft()


@cache
def dispatcher() -> Dispatcher:
    """Read the environment and create the clients, once per execution environment."""
    config = Config.from_environ(os.environ)
    emf.set_default_dimensions(**{metrics.FUNCTION_DIMENSION: config.function_name})
    session = boto3.Session()
    session.events.register("before-call", time_left.check_call)
    dynamodb = session.client("dynamodb", config=_CLIENTS)
    return Dispatcher(
        config=config,
        slots=None if config.max_concurrent_runs is None else Slots(table=config.ledger_table, dynamodb=dynamodb),
        ledger=RunLedger(
            table=config.ledger_table,
            bucket=config.ledger_bucket,
            dynamodb=dynamodb,
            s3=session.client("s3", config=_CLIENTS),
        ),
        ecs=session.client("ecs", config=_CLIENTS),
        sqs=session.client("sqs", config=_CLIENTS),
    )


def dispatch(record: SQSRecord) -> Done:
    """Dispatch a record, and log and count the result; any error makes the queue deliver the record again."""
    try:
        time_left.check_record(record.message_id)
        done = dispatcher().dispatch(record)
    except OvertimeError as error:
        if isinstance(error, UnreadableRecordError):
            _count(metrics.RECORDS_UNREADABLE)
        elif isinstance(error, NotDispatchedError):
            _count(metrics.LAUNCH_FAILED)
        _count_parked(record, error)
        logger.warning(str(error), message_id=record.message_id)
        raise
    except Exception as error:
        _count_parked(record, error)
        logger.exception("a record could not be dispatched", message_id=record.message_id)
        raise
    _count(_COUNTED[done.result])
    logger.info(
        "record %s",
        done.result,
        run_key=str(done.key),
        task_arn=done.task_arn,
        message_id=record.message_id,
        reason=done.reason,
    )
    return done


def _count(metric: Metric) -> None:
    emf.add_metric(metric.name, metric.unit, 1)


def _count_parked(record: SQSRecord, error: Exception) -> None:
    """Count a record that the queue now parks because this was its last receive.

    If the dispatcher tried to record the run as parked, that result decides, because another delivery may have
    continued the run. Without valid settings it knows neither its function's name nor the last receive; then the
    watcher finds the parked record.
    """
    if isinstance(error, ConfigError):
        return
    parked = error.parked if isinstance(error, NotDispatchedError) else None
    if parked is None:
        most = dispatcher().config.max_receive_count
        parked = int(record.attributes.approximate_receive_count or 1) >= most
    if parked:
        _count(metrics.RUNS_PARKED)


@logger.inject_lambda_context(log_event=False, clear_state=True)
@emf.log_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    """Dispatch a batch, and return the records that the queue must deliver again."""
    time_left.milliseconds = context.get_remaining_time_in_millis
    return process_partial_response(event=event, record_handler=dispatch, processor=processor, context=context)
