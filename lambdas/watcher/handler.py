"""What EventBridge calls: with each ECS Task State Change of the cluster, and on a schedule to reconcile.

The program calls it too, at a preview: see `backlog`.

What is raised counts as an error of the function and is not tried again, because the clock comes every five minutes and
finds what is left. Logs and metrics name runs and tasks; never an event or a result.
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

    The ledger says that an end was counted, and nobody counts it again. So a metric must not wait for the end of an
    invocation, which Lambda may cut off while owners are being told.
    """

    def __init__(self) -> None:
        self.watcher_name = metrics.Service.WATCHER.value
        """The function name in metrics of the stack."""

    def measure(self, function_name: str, metric: Metric, value: float = 1) -> None:
        """Write one value of a function's metric."""
        written = EphemeralMetrics(service=metric.service.value)
        written.add_dimension(metrics.FUNCTION_DIMENSION, self.watcher_name if metric.of_stack else function_name)
        written.add_metric(metric.name, metric.unit, value)
        written.flush_metrics()


meter = Emf()


@cache
def config() -> Config:
    """Read the environment, once for each execution environment."""
    return Config.from_environ(os.environ)


@cache
def watcher() -> Watcher:
    """Make the clients, once for each execution environment."""
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
    """Handle one event; what is neither a task's state change nor the program's means that it is time to reconcile."""
    meter.watcher_name = context.function_name
    try:
        if event == EVENT:
            return _backlog()
        if event.get("detail-type") == "ECS Task State Change":
            detail = event.get("detail")
            key = watcher().on_event(detail if isinstance(detail, dict) else {})
            logger.info("task stopped" if key else "not a run's stopped task", run_key=str(key))
        else:
            done = reconcile(watcher(), config().open_index, _failed, remaining=lambda: _seconds_left(context))
            # Under the watcher's own name, also where it is 0: an alarm tells people when this is not written any more.
            meter.measure(context.function_name, metrics.RUNS_LEFT, done.left + done.faults)
            log = logger.warning if done.left + done.faults else logger.info
            log("reconciled", open_runs=done.looked_at, left_for_next_time=done.left, faults=done.faults)
    except UnreadableItemError as error:
        logger.error(str(error))  # noqa: TRY400 -- trying again would not make it readable: counted, and passed over
    except OvertimeError as error:
        logger.error(str(error))  # noqa: TRY400 -- the text says it; a trace would say no more
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
    """Say why a run goes on otherwise; the alarms' queries look for what is above INFO, or has a reason."""
    log = logger.info if run.state is RunState.CANCELLED else logger.warning
    log(
        what,
        run_key=str(run.key),
        attempt=run.attempt,
        error_type=error_type,
        reason=run.reason,
    )
