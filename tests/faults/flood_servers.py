"""What the dispatchers of a flood talk to: RunTask with a limit and faults, a queue that delivers again, a ledger.

ECS and SQS answer over HTTP from the test's own process, DynamoDB and S3 are moto's in a process of its own.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast

from botocore import xform_name
from botocore.exceptions import ClientError

from overtime.contract.variables import RUN_KEY
from tests.doubles.ecs import Cluster, given
from tests.faults.worker import begin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

    from tests.faults.worker import Tables

SPAWN = multiprocessing.get_context("spawn")


class RunTask:
    """ECS's RunTask: a bucket of calls that fills at a rate, a cluster, and a share of answers that go wrong."""

    def __init__(self, *, per_second: float, burst: int, faults: float, seed: int) -> None:
        self._cluster = Cluster()
        self.outcomes: Counter[str] = Counter()
        self.passed_at: list[float] = []
        """When each call came that the limit let through."""
        self._rate, self._burst, self._faults = per_second, burst, faults
        self._left, self._at = float(burst), time.monotonic()
        self._random, self._lock = random.Random(seed), threading.Lock()

    @property
    def tasks(self) -> list[str]:
        """The run of each task that was started."""
        return [given(request)[RUN_KEY] for request in self._cluster.requests]

    def __call__(self, request: dict[str, Any]) -> tuple[int, dict[str, object]]:
        """Answer a call: status and document."""
        with self._lock:
            now = time.monotonic()
            self._left, self._at = min(self._burst, self._left + (now - self._at) * self._rate), now
            if self._left < 1:
                return self._told("over the limit", 400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
            self._left -= 1
            self.passed_at.append(now)
            drawn = self._random.random() / self._faults
            if drawn < 0.25:
                return self._told("throttled", 400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
            if drawn < 0.5:
                failures = [{"reason": "Capacity is unavailable at this time"}]
                return self._told("failures[]", 200, {"tasks": [], "failures": failures})
            if drawn < 0.75:
                return self._told("5xx, nothing started", 500, {"__type": "ServerException"})
            answer = self._cluster.run_task(**request)
            if drawn < 1:
                return self._told("5xx, started", 500, {"__type": "ServerException"})
            return self._told("answered", 200, answer)

    def _told(self, what: str, status: int, document: dict[str, object]) -> tuple[int, dict[str, object]]:
        self.outcomes[what] += 1
        return status, document


@dataclass
class Message:
    """A message, and what the queue knows of it."""

    body: str
    attributes: Mapping[str, Mapping[str, str]]
    visible_at: float
    name: str
    receives: int = 0


@dataclass
class Queue:
    """A queue with receive counts, visibility and a parking queue, for event source mappings."""

    visibility_seconds: float
    most_receives: int
    waiting: list[Message] = field(default_factory=list)
    parked: list[Message] = field(default_factory=list)
    acknowledged: list[Message] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _names: itertools.count[int] = field(default_factory=itertools.count)

    def send(self, body: str, attributes: Mapping[str, Mapping[str, str]], delay: float = 0) -> None:
        """Take a message."""
        with self._lock:
            self.waiting.append(Message(body, attributes, time.monotonic() + delay, f"m-{next(self._names)}"))

    def receive(self, most: int) -> list[Message]:
        """Deliver a batch; a message that was received too often is parked instead."""
        with self._lock:
            now = time.monotonic()
            batch: list[Message] = []
            for message in [each for each in self.waiting if each.visible_at <= now][:most]:
                if message.receives >= self.most_receives:
                    self.waiting.remove(message)
                    self.parked.append(message)
                    continue
                message.receives += 1
                message.visible_at = now + self.visibility_seconds
                batch.append(message)
            return batch

    def acknowledge(self, message: Message) -> None:
        """Forget a message."""
        with self._lock:
            self.waiting.remove(message)
            self.acknowledged.append(message)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that hung up: dispatchers are ended when the flood is over."""


class Server(_Quiet):
    """ECS and SQS on 127.0.0.1, as far as a dispatcher uses them; a context manager."""

    def __init__(self, run_task: RunTask, queue: Queue) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.run_task, self.queue = run_task, queue
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        server = cast("Server", self.server)
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        match self.headers["x-amz-target"].rpartition(".")[2]:
            case "RunTask":
                status, document = server.run_task(request)
            case "SendMessage":
                server.queue.send(request["MessageBody"], request["MessageAttributes"], request["DelaySeconds"])
                status, document = 200, {"MessageId": "m"}
            case other:
                status, document = 400, {"__type": f"{other} is not answered here"}
        self._send(status, json.dumps(document).encode())

    def _send(self, status: int, answer: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        """Say "100 Continue" at once, which S3's clients wait for."""
        told = super().handle_expect_100()
        self.wfile.flush()
        return told

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name for it
        """Say nothing."""


class _Ledger(_Handler):
    """Answers for DynamoDB and S3 what moto makes of it."""

    def do_POST(self) -> None:
        operation = self.headers["x-amz-target"].rpartition(".")[2]
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            answer = getattr(self._tables.dynamodb, xform_name(operation))(**request)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            refused = {"__type": error.response["Error"]["Code"], "Item": error.response.get("Item")}
            return self._send(status, json.dumps({name: value for name, value in refused.items() if value}).encode())
        del answer["ResponseMetadata"]
        return self._send(200, json.dumps(answer).encode())

    def do_PUT(self) -> None:
        bucket, _, key = self.path.partition("?")[0].removeprefix("/").partition("/")
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            self._tables.s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch=self.headers["if-none-match"])
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return self._send(412, f"<Error><Code>{code}</Code></Error>".encode())
        return self._send(200, b"")

    @property
    def _tables(self) -> Tables:
        return cast("_LedgerServer", self.server).tables


class _LedgerServer(_Quiet):
    def __init__(self, tables: Tables) -> None:
        super().__init__(("127.0.0.1", 0), _Ledger)
        self.tables = tables


def serve_ledger(told: Connection) -> None:
    """Serve DynamoDB and S3 until this process is ended; the address is what is told first."""
    server = _LedgerServer(begin())
    told.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


class LedgerProcess:
    """DynamoDB and S3 in a process of their own; a context manager that gives their address."""

    def __enter__(self) -> str:
        ours, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=serve_ledger, args=(theirs,), daemon=True)
        self._process.start()
        url: str = ours.recv()
        return url

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
