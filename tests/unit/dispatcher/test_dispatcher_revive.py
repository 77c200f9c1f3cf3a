"""A record that was not rescued, delivered again after the rule was widened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from overtime.contract.rescue import Rescue
from overtime.contract.runs import RunKey, RunState
from overtime.lambdas.dispatcher.dispatch import Dispatcher, NotDispatchedError, Result
from overtime.lambdas.dispatcher.failure_record import parse
from overtime.lambdas.watcher.destinations import Destinations
from overtime.ledger.answers import Moved
from tests.doubles.crash import Crash, Fuse
from tests.doubles.sqs import PARKING, QUEUE, record
from tests.doubles.world import FAILURE, SUCCESS, World

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from overtime.lambdas.watcher.destinations import Delivery

KEY = RunKey("report", "r-1")


@pytest.fixture
def world(dynamodb: DynamoDBClient, s3: S3Client) -> World:
    return World(dynamodb, s3)


def skipped(world: World) -> SQSRecord:
    """Let the rule of timeouts skip an error of the handler's, and give the record that a person moves back."""
    attributes = {"RequestID": KEY.request_id, "ErrorMessage": "'customer'"}
    world.queues.send_message(
        QueueUrl="https://queue/failures",
        MessageBody='{"report":  1.0}',
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    )
    done = world.deliver()
    assert done is not None
    assert done.result is Result.SKIPPED
    (parked,) = world.queues.sent.pop(PARKING)
    return record(parked)


def test_who_parks_a_skipped_run_counts_it(world: World) -> None:
    """A dispatcher that dies between recording and parking leaves the parking, and the counting, to the next."""
    attributes = {"RequestID": KEY.request_id, "ErrorMessage": "'customer'"}
    world.queues.send_message(
        QueueUrl=QUEUE,
        MessageBody="{}",
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    )
    assert world.deliver(fuse=Fuse(3)) is None
    assert (world.run(KEY).state, PARKING in world.queues.sent) == (RunState.SKIPPED, False)
    done = world.deliver()
    assert done is not None
    assert (done.result, len(world.queues.sent[PARKING])) == (Result.SKIPPED, 1)


def widened(world: World, fuse: Fuse | None = None) -> Dispatcher:
    """Start a dispatcher whose function hands over every failure."""
    made = world.dispatcher(fuse)
    return replace(made, config=replace(made.config, rescue=frozenset({Rescue.ANY})))


def test_a_wider_rule_rescues_what_was_skipped(world: World) -> None:
    """The run goes on as a new one would, waits from now on, and is kept for as long as a new one."""
    moved_back = skipped(world)
    before = world.run(KEY)
    world.now += 20 * 86_400
    done = widened(world).dispatch(moved_back)
    run = world.run(KEY)
    assert (done.result, run.state, run.task_arn) == (Result.STARTED, RunState.LAUNCHING, done.task_arn)
    assert [step.state for step in run.history[:2]] == [RunState.SKIPPED, RunState.QUEUED]
    assert (run.queued_at - before.queued_at).days == 20
    assert run.expires_at - before.expires_at >= 20 * 86_400
    assert PARKING not in world.queues.sent


def test_the_event_of_a_revived_run_lives_as_long_as_a_new_ones(world: World) -> None:
    """The bucket ends objects by their age, so the event is stored anew, or anew at all."""
    moved_back = skipped(world)
    puts: list[dict[str, object]] = []

    class Noted(Fuse):
        def wrap(self, client: object) -> object:
            if client is world.s3:
                put = world.s3.put_object

                class Puts:
                    def put_object(self, **request: object) -> object:
                        puts.append(request)
                        return put(**request)  # type: ignore[arg-type]

                return Puts()
            return client

    widened(world, Noted()).dispatch(moved_back)
    assert [request.get("IfNoneMatch") for request in puts] == ["*", None]
    assert world.ledger().event(KEY) == b'{"report":  1.0}'


def test_under_the_same_rule_it_is_parked_again(world: World) -> None:
    """Whoever moves the record back without widening the rule finds it where it was, and the run as it was."""
    moved_back = skipped(world)
    before = world.run(KEY)
    assert world.dispatcher().dispatch(moved_back).result is Result.SKIPPED
    assert (len(world.queues.sent[PARKING]), world.run(KEY)) == (1, before)


def test_an_owner_who_knows_of_the_skip_is_told_of_the_end(world: World) -> None:
    """Settled as skipped, the run is open again once it is revived, and settled once more."""
    moved_back = skipped(world)
    world.reconcile()
    assert world.run(KEY).notified == FAILURE
    task = widened(world).dispatch(moved_back).task_arn or ""
    revived = world.run(KEY)
    assert (revived.settled_at, revived.notified) == (None, None)
    assert list(world.ledger().open_keys()) == [str(KEY)]
    assert world.claim(task)
    assert world.finish(task, RunState.SUCCEEDED)
    world.stop(task, "returned")
    world.tell(task)
    assert (world.run(KEY).notified, len(world.told(SUCCESS)), len(world.told(FAILURE))) == (SUCCESS, 1, 1)
    assert widened(world).dispatch(moved_back).result is Result.DUPLICATE
    assert world.run(KEY).state is RunState.SUCCEEDED


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, 8))
def test_a_crash_around_any_call_of_a_revival_ends_in_one_task(world: World, call: int, *, after: bool) -> None:
    """Event, item, event anew, revive, launching, RunTask, launched: one task whichever is the last."""
    moved_back = skipped(world)
    with pytest.raises(Crash):
        widened(world, Fuse(call, after=after)).dispatch(moved_back)
    widened(world).dispatch(moved_back)
    assert (len(world.cluster.tasks), world.run(KEY).state) == (1, RunState.LAUNCHING)


def test_seven_calls_are_all_there_are(world: World) -> None:
    """The crash test above covers every external call: a further one would have to be added to it."""
    fuse = Fuse(99)
    widened(world, fuse).dispatch(skipped(world))
    assert fuse.calls == 7


def test_two_deliveries_that_revive_at_once_start_one_task(world: World) -> None:
    """Who comes second finds the run queued or further on, and goes on from there."""
    moved_back = skipped(world)
    ledger, run = world.ledger(), world.run(KEY)
    assert isinstance(ledger.revive(run, b"{}", "r", runs_days=30), Moved)
    made = widened(world)
    assert made._revived(run, parse(moved_back, "report")).state is RunState.QUEUED
    assert made.dispatch(moved_back).result is Result.STARTED
    assert made.dispatch(moved_back).result is Result.DUPLICATE
    assert len(world.cluster.tasks) == 1


def test_a_run_that_expires_while_it_is_revived_is_left_to_the_queue(world: World) -> None:
    """The next delivery records it anew; this one acknowledges nothing."""
    moved_back, run = skipped(world), world.run(KEY)
    world.forget(KEY)
    with pytest.raises(NotDispatchedError, match="was changed before it could be revived"):
        widened(world)._revived(run, parse(moved_back, "report"))
    assert widened(world).dispatch(moved_back).result is Result.STARTED


def test_a_success_is_told_though_the_skip_was_being_told_meanwhile(world: World) -> None:
    """The watcher tells of the skip, and before it writes that down the run is revived and succeeds."""
    moved_back = skipped(world)
    watcher = world.watcher()

    class Slow(Destinations):
        def send(self, arn: str, delivery: Delivery) -> None:
            watcher.destinations.send(arn, delivery)
            task = widened(world).dispatch(moved_back).task_arn or ""
            assert world.claim(task)
            assert world.finish(task, RunState.SUCCEEDED)
            world.stop(task, "returned")

    replace(watcher, destinations=Slow.__new__(Slow)).settle(world.run(KEY))
    assert (world.run(KEY).state, world.run(KEY).settled_at) == (RunState.SUCCEEDED, None)
    world.reconcile()
    assert world.run(KEY).notified == SUCCESS
    assert (len(world.told(FAILURE)), len(world.told(SUCCESS))) == (1, 1)
