"""A function that drains: nothing new is handed over, and what is there goes on to its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunState
from overtime.lambdas.dispatcher.dispatch import Result
from tests.doubles.refusals import refused, throttled
from tests.doubles.sqs import PARKING, record
from tests.doubles.world import World

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from overtime.lambdas.dispatcher.dispatch import Done


@pytest.fixture
def world(dynamodb: DynamoDBClient, s3: S3Client) -> World:
    return World(dynamodb, s3)


def drained(world: World, message: SQSRecord) -> Done:
    """Deliver a message to a dispatcher without any rule, as `enabled: false` makes it."""
    made = world.dispatcher()
    return replace(made, config=replace(made.config, rescue=frozenset())).dispatch(message)


def test_a_new_failure_is_parked(world: World) -> None:
    """It is kept and visible, and can be moved back once the function hands over again."""
    key = world.fail("r-1")
    assert drained(world, record(world.waiting().pop())).result is Result.SKIPPED
    assert world.run(key).state is RunState.SKIPPED
    assert "being drained" in (world.run(key).reason or "")
    (parked,) = world.queues.sent[PARKING]
    assert world.dispatcher().dispatch(record(parked)).result is Result.STARTED
    assert world.run(key).state is RunState.LAUNCHING


def test_a_run_that_waits_gets_its_task(world: World) -> None:
    """Its pointer record is nothing new."""
    key = world.fail("r-1")
    world.cluster.answers = [throttled()]
    held = world.deliver()
    assert held is not None
    assert held.result is Result.HELD
    assert drained(world, record(world.waiting().pop())).result is Result.STARTED
    assert world.run(key).state is RunState.LAUNCHING


def test_a_parked_run_that_is_moved_back_gets_its_task(world: World) -> None:
    """Nobody has to enable the function for it."""
    key = world.fail("r-1")
    world.cluster.answers = [refused("AccessDeniedException", 400)] * world.receives
    while world.waiting():
        world.deliver()
    assert world.run(key).parked_at is not None
    (parked,) = world.queues.sent.pop(PARKING)
    assert drained(world, record(parked)).result is Result.STARTED
    assert world.run(key).parked_at is None
