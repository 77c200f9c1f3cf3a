"""The dispatchers of a flood of failure records, and the event source mapping that gives them batches.

Each dispatcher is a process with the real handler and its own clients: one of Lambda's execution environments.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.doubles.lambda_context import Context
from tests.faults.flood_servers import SPAWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection

    from tests.faults.flood_servers import Message, Queue


def be_dispatcher(calls: Connection, environ: Mapping[str, str]) -> None:
    """Be one execution environment of the dispatcher: batches come in, and the records that failed go out."""
    os.environ.update(environ)
    sys.stdout = Path(os.devnull).open("w", encoding="ascii")  # noqa: SIM115 -- for as long as it lives
    from overtime.lambdas.dispatcher.handler import handler  # noqa: PLC0415 -- the environment comes first, as on Lambda

    while True:
        try:
            event = calls.recv()
        except EOFError:
            return
        calls.send(handler(event, Context("report-dispatcher")))


class Dispatchers:
    """The execution environments, and the event source mapping that gives them batches; a context manager."""

    def __init__(self, queue: Queue, environ: Mapping[str, str], *, at_once: int, batch: int) -> None:
        self._queue, self._batch = queue, batch
        self.longest_batch = 0.0
        """In seconds; Lambda ends what takes longer than the function's timeout."""
        self._over = threading.Event()
        self._pipes = [SPAWN.Pipe() for _ in range(at_once)]
        self._processes = [
            SPAWN.Process(target=be_dispatcher, args=(theirs, dict(environ)), daemon=True) for _, theirs in self._pipes
        ]
        self._pollers = [threading.Thread(target=self._poll, args=(ours,), daemon=True) for ours, _ in self._pipes]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        for poller in self._pollers:
            poller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for poller in self._pollers:
            poller.join()
        for process in self._processes:
            process.terminate()
            process.join()

    def _poll(self, calls: Connection) -> None:
        while not self._over.is_set():
            batch = self._queue.receive(self._batch)
            if not batch:
                self._over.wait(0.05)
                continue
            began = time.monotonic()
            calls.send({"Records": [_record(message) for message in batch]})
            while not calls.poll(0.1):
                if self._over.is_set():
                    return
            self.longest_batch = max(self.longest_batch, time.monotonic() - began)
            failed = {each["itemIdentifier"] for each in calls.recv()["batchItemFailures"]}
            for message in batch:
                if message.name not in failed:
                    self._queue.acknowledge(message)


def _record(message: Message) -> dict[str, object]:
    return {
        "messageId": message.name,
        "receiptHandle": message.name,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receives), "SentTimestamp": "1700000000000"},
        "messageAttributes": {
            name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
            for name, value in message.attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:failures",
        "awsRegion": "eu-west-1",
    }


def histogram(values: Sequence[int]) -> str:
    """Write how often each value comes."""
    return ", ".join(f"{value}: {count}" for value, count in sorted(Counter(values).items()))
