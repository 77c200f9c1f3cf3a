"""One function's system under the real handlers of dispatcher and watcher: what they write becomes metric data.

Minute by minute the queue delivers, the clock calls, and AWS measures its queues and functions as it says it does.
"""

from __future__ import annotations

import importlib
import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from overtime.contract import metrics
from overtime.lambdas.dispatcher import handler as dispatcher_handler
from overtime.lambdas.watcher import handler as watcher_handler
from overtime.lambdas.watcher.config import Config
from tests.doubles.lambda_context import Context
from tests.doubles.sqs import PARKING, QUEUE, record
from tests.unit.alarms.cloudwatch import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    import pytest
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tests.doubles.world import World

FUNCTION, WATCHER = "report", "overtime-watcher"
HIDDEN_SECONDS, MOST_RECEIVES, COUNTED_RECEIVES = 360, 5, 2
"""Of the failure queue; SQS's age of the oldest message leaves out what was received more often than the last."""


@dataclass
class Told:
    """What was written, by whether a round of the watcher wrote it."""

    in_rounds: Metrics = field(default_factory=Metrics)
    else_where: Metrics = field(default_factory=Metrics)


class Stage:
    """The system, and switches for what may be wrong with it."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.told, self.start = world, Told(), world.now
        self.clock_on = self.mapping_on = True
        self.throttled = False
        """Whether Lambda refuses to call the dispatcher, which costs a receive all the same."""
        self.answer: Exception | list[dict[str, str]] | None = None
        """What RunTask says instead of starting a task."""
        self._seen: dict[tuple[str, object], float] = {}
        self._visible: dict[object, float] = {}
        world.figures = watcher_handler.meter  # type: ignore[assignment]
        dispatching = self._loaded(monkeypatch)
        dispatching.emf.set_default_dimensions(function_name=FUNCTION)
        self._dispatch: Callable[..., dict[str, list[object]]] = dispatching.handler
        for logger in (dispatching.logger, watcher_handler.logger):  # only metrics are looked at
            monkeypatch.setattr(logger.registered_handler, "stream", io.StringIO())
        monkeypatch.setattr(dispatching, "dispatcher", world.dispatcher)
        monkeypatch.setattr(watcher_handler, "watcher", world.watcher)
        config = Config(ledger_table="runs", ledger_bucket="b", cluster_arn="c", functions={})
        monkeypatch.setattr(watcher_handler, "config", lambda: config)

    def _loaded(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        """Load the dispatcher's handler as Lambda does; the watcher reads its variables whenever it writes."""
        for service in metrics.Service:
            for name, value in service.variables().items():
                monkeypatch.setenv(name, value)
            if service is metrics.Service.DISPATCHER:
                loaded = importlib.reload(dispatcher_handler)
        return loaded

    def minute(self) -> None:
        """Let a minute pass."""
        if self.mapping_on:
            for message in [each for each in self.world.waiting() if self._is_due(each)]:
                self._deliver(message)
        if self.clock_on and round((self.world.now - self.start) / 60) % 5 == 0:
            self.round()
        self._measure_queues()
        self.world.now = self.start + 60 * (round((self.world.now - self.start) / 60) + 1)

    def round(self) -> None:
        """Let the watcher reconcile."""
        self._watch({"overtime": "reconcile"}, self.told.in_rounds)

    def started(self, request_id: str) -> str:
        """Let an invocation fail and its run's task claim it; gives the task."""
        self.world.fail(request_id)
        self._deliver(self.world.waiting()[-1])
        task = self.world.cluster.alive()[-1]
        assert self.world.claim(task)
        return task

    def stopped(self, task: str, how: str) -> None:
        """Let a task stop, and the watcher hear of it."""
        self.world.stop(task, how)
        self._watch(
            {"detail-type": "ECS Task State Change", "detail": self.world.cluster.tasks[task]}, self.told.else_where
        )

    def aws_counts(self, namespace: str, name: str, dimensions: dict[str, str], value: float) -> None:
        """Write a metric of AWS's own."""
        self.told.else_where.put((namespace, name, frozenset(dimensions.items())), self.world.now, value)

    def _deliver(self, message: dict[str, object]) -> None:
        receives = message["receives"] = int(str(message["receives"])) + 1
        if self.answer is not None:
            self.world.cluster.answers = [self.answer]
        batch = {"Records": [record(message, receives).raw_event]}
        context = cast("LambdaContext", Context("report-dispatcher", left=[300_000]))
        answer: dict[str, list[object]] = {"batchItemFailures": [message]}
        if not self.throttled:
            answer = self._emitted(lambda: self._dispatch(batch, context), self.told.else_where)
        self._visible[message["MessageId"]] = self.world.now + HIDDEN_SECONDS
        if not answer["batchItemFailures"]:
            self.world.waiting().remove(message)
        elif receives >= MOST_RECEIVES:
            self.world.park(self.world.waiting().index(message))

    def _is_due(self, message: dict[str, object]) -> bool:
        delayed = self._first_seen(QUEUE, message) + int(str(message.get("DelaySeconds", 0)))
        return self._visible.get(message["MessageId"], delayed) <= self.world.now

    def _first_seen(self, queue: str, message: dict[str, object]) -> float:
        return self._seen.setdefault((queue, message["MessageId"]), self.world.now)

    def _watch(self, event: dict[str, object], told: Metrics) -> None:
        context = cast("LambdaContext", Context(WATCHER, left=[300_000]))
        errors = 0
        try:
            self._emitted(lambda: watcher_handler.handler(event, context), told)
        except Exception:  # noqa: BLE001 -- what Lambda counts as an error of the function
            errors = 1
        told.put(("AWS/Lambda", "Errors", frozenset({("FunctionName", WATCHER)})), self.world.now, errors)

    def _emitted(self, call: Callable[[], Any], told: Metrics) -> Any:
        written = io.StringIO()
        try:
            with redirect_stdout(written):
                return call()
        finally:
            for line in written.getvalue().splitlines():
                if '"_aws"' in line:
                    self._read(json.loads(line), told)

    def _read(self, emf: dict[str, Any], told: Metrics) -> None:
        for directive in emf["_aws"]["CloudWatchMetrics"]:
            [names] = directive["Dimensions"]
            dimensions = frozenset((name, emf[name]) for name in names)
            for metric in directive["Metrics"]:
                told.put((directive["Namespace"], metric["Name"], dimensions), self.world.now, *emf[metric["Name"]])

    def _measure_queues(self) -> None:
        for url in (QUEUE, PARKING):
            messages = self.world.queues.sent.get(url, [])
            ages = [
                self.world.now - self._first_seen(url, each)
                for each in messages
                if int(str(each["receives"])) <= COUNTED_RECEIVES
            ]
            name = url.rpartition("/")[2]
            self.aws_counts("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": name}, max(ages, default=0))
