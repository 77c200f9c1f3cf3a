"""Lambda's entry point: EventBridge invokes it for each task of the cluster that stops, and every five minutes.

The program also invokes it, at each preview: see `backlog`.

An exception is an error of the function. It is not retried, because the next scheduled round finds what is left. Logs
and metrics name runs and tasks, but never quote an event or a result.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from botocore.config import Config as ClientConfig

from overtime.contract import metrics
from overtime.contract.backlog import EVENT
from overtime.contract.runs import RunState
from overtime.errors import OvertimeError
from overtime.lambdas.watcher import backlog
from overtime.lambdas.watcher.config import Config
from overtime.lambdas.watcher.destinations import Destinations
from overtime.lambdas.watcher.reconcile import reconcile
from overtime.lambdas.watcher.tasks import Tasks
from overtime.lambdas.watcher.watch import Watcher
from overtime.ledger.looks import Looks
from overtime.ledger.run import UnreadableItemError
from overtime.ledger.slots import Slots
from overtime.ledger.store import RunLedger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from overtime.contract.metrics import Metric
    from overtime.ledger.run import Run

logger = Logger()

_CLIENTS = ClientConfig(
    connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}, tcp_keepalive=True
)


class Emf:
    """Writes each value to the log at once, in CloudWatch's embedded metric format.

    Once the ledger shows that an end was counted, it is never counted again. So a metric must not wait for the end of
    the invocation, which may time out while the watcher notifies destinations.
    """

    def __init__(self) -> None:
        self.watcher_name = metrics.Service.WATCHER.value
        """The value of `function_name` in metrics of the stack."""

    def measure(self, function_name: str, metric: Metric, value: float = 1) -> None:
        """Write one value of a function's metric."""
        written = EphemeralMetrics(service=metric.service.value)
        written.add_dimension(metrics.FUNCTION_DIMENSION, self.watcher_name if metric.of_stack else function_name)
        written.add_metric(metric.name, metric.unit, value)
        written.flush_metrics()


meter = Emf()


@cache
def config() -> Config:
    """Read the environment, once per execution environment."""
    return Config.from_environ(os.environ)


@cache
def watcher() -> Watcher:
    """Create the clients, once per execution environment."""
    dynamodb, sqs = boto3.client("dynamodb", config=_CLIENTS), boto3.client("sqs", config=_CLIENTS)
    table = config().ledger_table
    return Watcher(
        functions=config().functions,
        ledger=RunLedger(
            table=table,
            bucket=config().ledger_bucket,
            dynamodb=dynamodb,
            s3=boto3.client("s3", config=_CLIENTS),
        ),
        slots=Slots(table=table, dynamodb=dynamodb),
        looks=Looks(table=table, dynamodb=dynamodb),
        tasks=Tasks(boto3.client("ecs", config=_CLIENTS), config().cluster_arn),
        sqs=sqs,
        destinations=Destinations(
            sqs=sqs,
            sns=boto3.client("sns", config=_CLIENTS),
            events=boto3.client("events", config=_CLIENTS),
            lambdas=boto3.client("lambda", config=_CLIENTS),
        ),
        meter=meter,
        failed=_failed,
        noted=_noted,
    )


@logger.inject_lambda_context(log_event=False, clear_state=True)
def handler(event: dict[str, object], context: LambdaContext) -> dict[str, object] | None:
    """Handle one event: the program's question, a task's state change, or else the schedule, which reconciles."""
    meter.watcher_name = context.function_name
    try:
        if event == EVENT:
            return _backlog()
        if event.get("detail-type") == "ECS Task State Change":
            detail = event.get("detail")
            key = watcher().on_event(detail if isinstance(detail, dict) else {})
            logger.info("task stopped" if key else "not a stopped task of a run", run_key=str(key))
        else:
            done = reconcile(watcher(), config().open_index, _failed, remaining=lambda: _seconds_left(context))
            # Written even if it is 0, because an alarm notices when it is missing.
            meter.measure(context.function_name, metrics.RUNS_LEFT, done.left + done.faults)
            log = logger.warning if done.left + done.faults else logger.info
            log("reconciled", open_runs=done.looked_at, left_for_next_time=done.left, faults=done.faults)
    except UnreadableItemError as error:
        logger.error(str(error))  # noqa: TRY400 -- counted and skipped, because no retry makes the item readable
    except OvertimeError as error:
        logger.error(str(error))  # noqa: TRY400 -- the text is enough; a trace would add nothing
        raise
    return None


def _backlog() -> dict[str, object]:
    return backlog.backlog(
        config().functions,
        watcher().ledger.open_keys(config().open_index),
        sqs=watcher().sqs,
        ecs=boto3.client("ecs", config=_CLIENTS),
        failed=_failed,
    )


def _seconds_left(context: LambdaContext) -> float:
    return context.get_remaining_time_in_millis() / 1000


def _failed(key: str, error: Exception) -> None:
    logger.error(str(error), run_key=key)


def _noted(what: str, run: Run, error_type: str | None) -> None:
    """Log a change of a run with its reason; the alarms' queries find lines above INFO or with a reason."""
    log = logger.info if run.state is RunState.CANCELLED else logger.warning
    log(
        what,
        run_key=str(run.key),
        attempt=run.attempt,
        error_type=error_type,
        reason=run.reason,
    )
