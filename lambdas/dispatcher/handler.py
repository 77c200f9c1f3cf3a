"""What Lambda calls with a batch of the failure queue: each record is dispatched by itself, and fails by itself.

Logs and metrics name runs and tasks; never an event, a body or what the handler's error said.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from botocore.config import Config as ClientConfig

from lambdas.dispatcher.config import Config
from lambdas.dispatcher.dispatch import Dispatcher, Done, NotDispatchedError, Result
from lambdas.dispatcher.failure_record import UnreadableRecordError
from overtime.errors import OvertimeError
from overtime.ledger.slots import Slots
from overtime.ledger.store import RunLedger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

# Few and short tries: what does not pass is better off on the queue than in a Lambda that is paid for waiting.
_CLIENTS = ClientConfig(
    connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}, tcp_keepalive=True
)

_COUNTED = {
    Result.STARTED: "RunsStarted",
    Result.SKIPPED: "RunsSkipped",
    Result.DUPLICATE: "DuplicateRecords",
    Result.HELD: "RunsHeld",
}


@cache
def dispatcher() -> Dispatcher:
    """Read the environment and make the clients, once for each execution environment."""
    config = Config.from_environ(os.environ)
    metrics.set_default_dimensions(function_name=config.function_name)
    dynamodb = boto3.client("dynamodb", config=_CLIENTS)
    return Dispatcher(
        config=config,
        slots=None if config.max_concurrent_runs is None else Slots(table=config.ledger_table, dynamodb=dynamodb),
        ledger=RunLedger(
            table=config.ledger_table,
            bucket=config.ledger_bucket,
            dynamodb=dynamodb,
            s3=boto3.client("s3", config=_CLIENTS),
        ),
        ecs=boto3.client("ecs", config=_CLIENTS),
        sqs=boto3.client("sqs", config=_CLIENTS),
    )


def dispatch(record: SQSRecord) -> Done:
    """Dispatch one record and say so; what is raised makes the queue deliver this record again."""
    try:
        done = dispatcher().dispatch(record)
    except OvertimeError as error:
        if isinstance(error, UnreadableRecordError):
            metrics.add_metric("RecordsUnreadable", MetricUnit.Count, 1)
        elif isinstance(error, NotDispatchedError):
            metrics.add_metric("LaunchFailed", MetricUnit.Count, 1)
            if error.parked:
                metrics.add_metric("RunsParked", MetricUnit.Count, 1)
        logger.warning(str(error), message_id=record.message_id)
        raise
    except Exception:
        logger.exception("a record could not be dispatched", message_id=record.message_id)
        raise
    metrics.add_metric(_COUNTED[done.result], MetricUnit.Count, 1)
    logger.info(
        "record %s",
        done.result,
        run_key=str(done.key),
        task_arn=done.task_arn,
        message_id=record.message_id,
        reason=done.reason,
    )
    return done


@logger.inject_lambda_context(log_event=False, clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
    """Dispatch a batch; the answer names the records that the queue is to deliver again."""
    return process_partial_response(event=event, record_handler=dispatch, processor=processor, context=context)
