"""Plays cells in processes of their own, one for each core, each with an AWS in its memory."""

from __future__ import annotations

import itertools
import os
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, cast

import boto3
from moto import mock_aws
from moto.core.serialize import ResponseSerializer

from tests.faults.cell import Cell, discovered, played
from tests.faults.runner_steps import RUNNER
from tests.faults.steps import DISPATCHER, WATCHER
from tests.unit.conftest import BUCKET, REGION, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

    from moto.core.model import StructureShape as Structure
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from tests.faults.place import Place
    from tests.faults.steps import Step
    from tests.faults.wire import Call, Mode

STEPS = {step.title: step for step in (*DISPATCHER, *WATCHER, *RUNNER)}
_names = itertools.count()


class OneAtATime:
    """A client whose calls wait for one another: AWS's conditional writes are atomic, those of moto are not."""

    _lock = threading.Lock()

    def __init__(self, client: object) -> None:
        self._client = client

    def __getattr__(self, name: str) -> object:
        found = getattr(self._client, name)
        if name == "meta":
            return found

        def call(*args: object, **request: object) -> object:
            with self._lock:
                return found(*args, **request)

        return call


class Tables:
    """The ledger's table and bucket, which places share one after the other."""

    def __init__(self) -> None:
        self.dynamodb = cast("DynamoDBClient", OneAtATime(boto3.client("dynamodb", region_name=REGION)))
        self.s3 = cast("S3Client", OneAtATime(boto3.client("s3", region_name=REGION)))
        self.dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "run_key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "run_key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    @contextmanager
    def place(self, step: Step) -> Iterator[Place]:
        """Open an empty place for a step."""
        place = step.open(self.dynamodb, self.s3, f"f{os.getpid()}-{next(_names)}")
        with closing(place):
            try:
                yield place
            finally:
                place.clear()

    def play(self, cell: Cell) -> list[str]:
        """Play one cell and return the promises that it broke."""
        with self.place(cell.step) as place:
            return played(cell, place)


_tables: list[Tables] = []


def begin() -> Tables:
    """Prepare a process for playing: AWS is in its memory until it ends."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[name] = "testing"
    os.environ.pop("AWS_ENDPOINT_URL", None)
    mock_aws().start()
    quicken()
    _tables.append(Tables())
    return _tables[0]


def quicken(put: Callable[[object, str, object], None] = setattr) -> None:
    """Let moto write attribute values as they are: it looks for each part under four names, half of all the time."""
    write = ResponseSerializer._serialize_type_structure

    def quick(
        self: ResponseSerializer, serialized: MutableMapping[str, object], value: object, shape: Structure, key: str
    ) -> None:
        if shape.name == "AttributeValue" and isinstance(value, dict):
            self._default_serialize(serialized, value, shape, key)
        else:
            write(self, serialized, value, shape, key)

    put(ResponseSerializer, "_serialize_type_structure", quick)


def discover(title: str) -> tuple[list[Call], list[tuple[Call, Mode]]]:
    """Run a step with nothing wrong; return its calls, and what can go wrong."""
    with _tables[0].place(STEPS[title]) as place:
        calls, found = discovered(STEPS[title], place)
    return calls, [(cell.call, cell.mode) for cell in found]


def play(title: str, call: Call, mode: Mode) -> list[str]:
    """Play one cell and return the promises that it broke."""
    return _tables[0].play(Cell(STEPS[title], call, mode))
