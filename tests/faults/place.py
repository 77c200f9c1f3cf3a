"""One function's system in which a step can go wrong, and time then goes on until nothing changes any more."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from overtime.contract.runs import RunState
from overtime.errors import OvertimeError
from overtime.lambdas.watcher.destinations import ATTRIBUTE
from overtime.lambdas.watcher.reconcile import reconcile
from tests.doubles.crash import Crash
from tests.doubles.sqs import PARKING, QUEUE, record
from tests.doubles.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from overtime.contract.runs import RunKey
    from tests.faults.wire import Wire

Message = dict[str, object]
_ROUNDS = 40


class Place(World):
    """A world of one or two runs; what its tasks do is what the runner does, through the same ledger."""

    def __init__(
        self, dynamodb: DynamoDBClient, s3: S3Client, *, name: str, most: int | None = None, spot: bool = False
    ) -> None:
        super().__init__(dynamodb, s3, most=most, spot=spot, name=name)
        self.keys: list[RunKey] = []
        self.stuck: set[str] = set()
        """Tasks that hang: they do nothing until they are stopped."""
        self.intruders: list[str] = []
        """Tasks that ended a run which was not theirs."""
        self.hidden: list[Message] = []
        """Messages that the queue does not deliver for now."""
        self.untold: set[str] = set()
        """Tasks whose event has not come."""
        self._heard: Counter[str] = Counter()

    def set_function(self, **settings: object) -> None:
        """Change what the watcher knows of the function."""
        self.function = replace(self.function, **settings)  # type: ignore[arg-type]

    def fail(self, request_id: str, message: str = "Task timed out after 9.00 seconds") -> RunKey:
        """Put a failure record on the queue."""
        key = super().fail(request_id)
        attributes = cast("dict[str, dict[str, str]]", self.waiting()[-1]["MessageAttributes"])
        attributes["ErrorMessage"]["StringValue"] = message
        self.keys.append(key)
        return key

    def receive(self, message: Message, *, wire: Wire | None = None) -> None:
        """Deliver a message: it goes when it is acknowledged, and is parked after the last receive."""
        receives = message["receives"] = int(str(message["receives"])) + 1
        queue = self.hidden if message in self.hidden else self.waiting()
        try:
            self.dispatcher(wire).dispatch(record(message, receives))
        except (Crash, OvertimeError):
            if receives >= self.receives and message in queue:
                queue.remove(message)
                self.queues.sent.setdefault(PARKING, []).append(message)
            return
        if message in queue:
            queue.remove(message)

    def hear(self, detail: Message, *, wire: Wire | None = None) -> None:
        """Deliver the event of a stopped task."""
        try:
            self.watcher(wire).on_event(detail)
        except (Crash, OvertimeError):
            return

    def look(self, after: float = 1_200, *, wire: Wire | None = None) -> None:
        """Let time pass and reconcile."""
        self.now += after
        try:
            reconcile(self.watcher(wire), None, lambda _key, _error: None)
        except (Crash, OvertimeError):
            return

    def finish(self, arn: str, state: RunState, result: bytes = b'{"total": 1.0}') -> bool:
        """Let a task leave a result and close its run; write down where that was not its own."""
        key, attempt = self.about(arn)
        before = self.run(key)
        self.s3.put_object(Bucket="runs-objects", Key=key.result_object(attempt), Body=result)
        code = 0 if state is RunState.SUCCEEDED else 1
        moved = self.task_ledger().finish(key, attempt, arn, state, exit_code=code, result_size=len(result))
        if moved and (before.state, before.task_arn, before.attempt) != (RunState.RUNNING, arn, attempt):
            self.intruders.append(arn)
        return moved

    def settle(self) -> None:
        """Let time go on: queue, tasks, events (each twice) and the schedule, until nothing changes any more."""
        for _ in range(_ROUNDS):
            for message in list(self.waiting()):
                self.receive(message)
            for arn in self.cluster.alive():
                if arn not in self.stuck:
                    self.live(arn)
            self.tell_all()
            self.look()
            if not self.waiting() and not self.cluster.alive() and not list(self.ledger().open_keys()):
                break
        self.rise()

    def rise(self) -> None:
        """Let the tasks that ECS does not know try to end their run."""
        for arn in self.cluster.unknown:
            self.finish(arn, RunState.FAILED)

    def close(self) -> None:
        """Let go of what the place holds."""

    def live(self, arn: str, *, wire: Wire | None = None) -> None:  # noqa: ARG002 -- these tasks make no calls of their own
        """Let a task live to its end."""
        claimed = self.claim(arn)
        key, attempt = self.about(arn)
        run = self.run(key)
        if claimed or (run.state, run.task_arn, run.attempt) == (RunState.RUNNING, arn, attempt):
            self.finish(arn, RunState.SUCCEEDED)
            self.stop(arn, "returned")
        else:
            self.stop(arn, "duplicate")

    def tell_all(self) -> None:
        """Deliver the event of each stopped task, twice."""
        for arn, task in self.cluster.tasks.items():
            while task["lastStatus"] == "STOPPED" and arn not in self.untold and self._heard[arn] < 2:
                self._heard[arn] += 1
                self.hear(dict(task))

    def sent(self) -> list[tuple[str, str | None, dict[str, object]]]:
        """List the records that destinations got: to whom, the attribute that names the run, and the record."""
        found = [(arn, key, json.loads(text)) for arn, key, text in self.letters]
        for url, messages in self.queues.sent.items():
            if url in {QUEUE, PARKING}:
                continue
            for message in messages:
                attributes = cast("dict[str, dict[str, str]]", message["MessageAttributes"])
                body = json.loads(str(message["Body"]))
                arn = f"arn:aws:sqs:eu-west-1:123456789012:{url}"
                found.append((arn, attributes[ATTRIBUTE]["StringValue"], body))
        return found

    def clear(self) -> None:
        """Take everything out of the table."""
        for item in self.dynamodb.scan(TableName="runs", ProjectionExpression="run_key")["Items"]:
            self.dynamodb.delete_item(TableName="runs", Key={"run_key": item["run_key"]})
