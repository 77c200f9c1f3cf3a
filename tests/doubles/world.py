"""The whole system in one process: the real dispatcher, watcher and ledger, moto's tables, and a cluster and queues.

A task is what a test lets it be: it claims, finishes and stops when it is told to, as the runner would.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, cast

from overtime.contract.capacity import Capacity
from overtime.contract.functions_table import FunctionSettings
from overtime.contract.rescue import Rescue
from overtime.contract.runs import RunKey, RunState
from overtime.contract.variables import RUN_KEY, TASK_ATTEMPT
from overtime.lambdas.dispatcher.config import Config
from overtime.lambdas.dispatcher.dispatch import Dispatcher, NotDispatchedError, Result
from overtime.lambdas.watcher.destinations import Destinations
from overtime.lambdas.watcher.reconcile import reconcile
from overtime.lambdas.watcher.tasks import Tasks
from overtime.lambdas.watcher.watch import Watcher
from overtime.ledger.looks import Looks
from overtime.ledger.slots import Slots
from overtime.ledger.store import RunLedger
from tests.doubles.crash import Crash, Fuse
from tests.doubles.destinations import Events, Functions, Sns
from tests.doubles.ecs import CLUSTER_ARN, STOPS, Cluster, given, run_task
from tests.doubles.sqs import PARKING, QUEUE, Queues, record
from tests.doubles.task_ledger import TaskLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

    from overtime.contract.metrics import Metric
    from overtime.lambdas.dispatcher.dispatch import Done
    from overtime.ledger.run import Run
    from tests.doubles.destinations import Letter

FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:report"
SUCCESS, FAILURE = "arn:aws:sqs:eu-west-1:123456789012:done", "arn:aws:sqs:eu-west-1:123456789012:failed"
EVENT = b'{"report": "sales",  "rows": 1.0}'


class Figures:
    """Counts what would be metrics."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.durations: dict[str, list[float]] = {}

    def measure(self, function_name: str, metric: Metric, value: float = 1) -> None:
        """Add a value to a function's metric."""
        assert function_name
        if metric.unit == "Count":
            self.counted[metric.name] += int(value)
        else:
            self.durations.setdefault(metric.name, []).append(value)


class World:
    """One function's system; a fresh dispatcher or watcher for each call, so that a crash leaves nothing behind."""

    def __init__(  # noqa: PLR0913 -- what a function may be set to
        self,
        dynamodb: DynamoDBClient,
        s3: S3Client,
        *,
        most: int | None = None,
        spot: bool = False,
        receives: int = 5,
        name: str = "report",
    ) -> None:
        self.dynamodb, self.s3, self.name = dynamodb, s3, name
        self.cluster, self.queues, self.figures, self.now = Cluster(), Queues(), Figures(), 1_700_000_000.0
        self.queues.clock = lambda: self.now
        self.letters: list[Letter] = []
        """What destinations other than queues got."""
        self.most, self.spot, self.receives = most, spot, receives
        self.faults: list[tuple[str, Exception]] = []
        """What the watcher said of runs that it could not look after."""
        self.noted: Callable[[str, Run, str | None], None] = lambda *_: None
        """Hears of runs that the watcher relaunched, parked or ended."""
        self.executed: Counter[tuple[RunKey, int]] = Counter()
        self.function = FunctionSettings(
            function_arn=FUNCTION_ARN,
            queue_url=QUEUE,
            parking_queue_url=PARKING,
            on_success=SUCCESS,
            on_failure=FAILURE,
        )

    def ledger(self, fuse: Fuse | None = None) -> RunLedger:
        """Open the ledger."""
        wrap = (fuse or Fuse()).wrap
        return RunLedger(
            table="runs",
            bucket="runs-objects",
            dynamodb=cast("DynamoDBClient", wrap(self.dynamodb)),
            s3=cast("S3Client", wrap(self.s3)),
            clock=self.clock,
        )

    def task_ledger(self) -> TaskLedger:
        """Write what tasks write."""
        return TaskLedger(self.dynamodb, clock=self.clock)

    def clock(self) -> float:
        """Tell the time, which goes on by a little with each look."""
        self.now += 0.001
        return self.now

    def slots(self, fuse: Fuse | None = None) -> Slots:
        """Count tasks."""
        dynamodb = cast("DynamoDBClient", (fuse or Fuse()).wrap(self.dynamodb))
        return Slots(table="runs", dynamodb=dynamodb, clock=self.clock)

    def dispatcher(self, fuse: Fuse | None = None) -> Dispatcher:
        """Start a dispatcher."""
        wrap = (fuse or Fuse()).wrap
        config = Config(
            function_name=self.name,
            function_arn=FUNCTION_ARN,
            ledger_table="runs",
            ledger_bucket="runs-objects",
            runs_days=30,
            run_task=run_task(),
            rescue=frozenset({Rescue.TIMEOUT}),
            lambda_attempts=3,
            queue_url=QUEUE,
            parking_queue_url=PARKING,
            max_receive_count=self.receives,
            max_concurrent_runs=self.most,
            capacity=Capacity.SPOT if self.spot else Capacity.ON_DEMAND,
        )
        return Dispatcher(
            config=config,
            ledger=self.ledger(fuse),
            ecs=cast("ECSClient", wrap(self.cluster)),
            sqs=cast("SQSClient", wrap(self.queues)),
            slots=None if self.most is None else self.slots(fuse),
        )

    def watcher(self, fuse: Fuse | None = None) -> Watcher:
        """Start a watcher."""
        wrap = (fuse or Fuse()).wrap
        sqs = cast("SQSClient", wrap(self.queues))
        return Watcher(
            functions={self.name: self.function},
            ledger=self.ledger(fuse),
            slots=self.slots(fuse),
            looks=Looks(table="runs", dynamodb=cast("DynamoDBClient", wrap(self.dynamodb))),
            tasks=Tasks(cast("ECSClient", wrap(self.cluster)), CLUSTER_ARN),
            sqs=sqs,
            destinations=Destinations(
                sqs=sqs,
                sns=cast("SNSClient", wrap(Sns(self.letters))),
                events=cast("EventBridgeClient", wrap(Events(self.letters))),
                lambdas=cast("LambdaClient", wrap(Functions(self.letters))),
            ),
            meter=self.figures,
            failed=lambda key, error: self.faults.append((key, error)),
            noted=self.noted,
            clock=self.clock,
        )

    def fail(self, request_id: str) -> RunKey:
        """Put a failure record on the queue."""
        attributes = {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "Task timed out after 9.00 seconds"}
        self.queues.send_message(
            QueueUrl=QUEUE,
            MessageBody=EVENT.decode(),
            MessageAttributes={n: {"DataType": "String", "StringValue": v} for n, v in attributes.items()},
        )
        return RunKey(self.name, request_id)

    def waiting(self) -> list[dict[str, object]]:
        """List what is on the failure queue."""
        return self.queues.sent.setdefault(QUEUE, [])

    def deliver(self, index: int = 0, *, fuse: Fuse | None = None, keep: bool = False) -> Done | None:
        """Deliver a message: it goes when it is acknowledged, unless the queue delivers it twice, or is parked."""
        message = self.waiting()[index]
        receives = message["receives"] = int(str(message["receives"])) + 1
        try:
            done = self.dispatcher(fuse).dispatch(record(message, receives))
        except (Crash, NotDispatchedError):
            if receives >= self.receives:
                self.park(index)
            return None
        if not keep:
            self.waiting().remove(message)
        return done

    def park(self, index: int = 0) -> None:
        """Let the queue park a message."""
        self.queues.sent.setdefault(PARKING, []).append(self.waiting().pop(index) | {"receives": 0})

    def start(self, request_id: str = "r-1") -> tuple[RunKey, str]:
        """Bring a run as far as its task."""
        key = self.fail(request_id)
        done = self.deliver(len(self.waiting()) - 1)
        assert done is not None
        assert done.result is Result.STARTED
        return key, done.task_arn or ""

    def about(self, arn: str) -> tuple[RunKey, int]:
        """Read what a task was told."""
        variables = given(self.cluster.tasks[arn])
        return RunKey.parse(variables[RUN_KEY]), int(variables[TASK_ATTEMPT])

    def claim(self, arn: str) -> bool:
        """Let a task claim its run and, if it may, run the handler."""
        key, attempt = self.about(arn)
        if not self.task_ledger().claim(key, attempt, arn, arn):
            return False
        self.executed[key, attempt] += 1
        return True

    def finish(self, arn: str, state: RunState, result: bytes = b'{"total": 1.0}') -> bool:
        """Let a task leave a result and close its run."""
        key, attempt = self.about(arn)
        self.s3.put_object(Bucket="runs-objects", Key=key.result_object(attempt), Body=result)
        code = 0 if state is RunState.SUCCEEDED else 1
        return self.task_ledger().finish(key, attempt, arn, state, exit_code=code, result_size=len(result))

    def stop(self, arn: str, how: str) -> None:
        """Let a task have stopped."""
        self.cluster.stop(arn, *STOPS[how])

    def tell(self, arn: str, *, fuse: Fuse | None = None, exit_code: bool = True) -> bool:
        """Deliver the event of a stopped task; False where the watcher crashed."""
        detail = dict(self.cluster.tasks[arn])
        if not exit_code:
            detail["containers"] = [{"name": "runner"}]
        try:
            self.watcher(fuse).on_event(detail)
        except Crash:
            return False
        return True

    def reconcile(self, *, after: float = 1_200, fuse: Fuse | None = None) -> bool:
        """Let time pass and reconcile; False where the watcher crashed."""
        self.now += after
        faults: list[Exception] = []
        try:
            reconcile(self.watcher(fuse), None, lambda _, error: faults.append(error))
        except Crash:
            return False
        return True

    def run(self, key: RunKey) -> Run:
        """Read a run."""
        run = self.ledger().get(key)
        assert run is not None
        return run

    def forget(self, key: RunKey) -> None:
        """Take a run out of the world, so that the next is looked at alone."""
        self.dynamodb.delete_item(TableName="runs", Key={"run_key": {"S": str(key)}})

    def told(self, which: str) -> list[dict[str, object]]:
        """List the records that a destination got."""
        return [json.loads(str(each["Body"])) for each in self.queues.sent.get(which.rpartition(":")[2], [])]
