"""What is parked, by whom, and what the ledger says of it: the real dispatcher, watcher and ledger."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunKey, RunState
from overtime.lambdas.dispatcher.dispatch import NotDispatchedError, Result
from overtime.lambdas.watcher.reconcile import reconcile
from overtime.lambdas.watcher.verdict import MOST_REFUSALS
from tests.doubles.crash import Fuse
from tests.doubles.refusals import refused, throttled
from tests.doubles.sqs import PARKING, QUEUE, record
from tests.doubles.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

HOURS = 7 * 3_600


@pytest.fixture
def world(dynamodb: DynamoDBClient, s3: S3Client) -> World:
    return World(dynamodb, s3, most=2, receives=1)


def parked(world: World) -> list[dict[str, object]]:
    return world.queues.sent.get(PARKING, [])


def counting(world: World, key: RunKey) -> int:
    """Count the parked records that would start the run, were they moved back."""
    run = world.run(key)
    named = [json.loads(str(each["Body"]))["overtime"] for each in parked(world)]
    return sum((each["run_key"], each["attempt"], each["turn"]) == (str(key), run.attempt, run.turn) for each in named)


def refuse_to_start(world: World, times: int, *, how: str = "image") -> RunKey:
    """Let so many tasks of a new run stop before the claim; all but the last are followed by another."""
    key, task = world.start()
    for number in range(times):
        world.stop(task, how)
        if number + 1 < times:
            world.tell(task)
            world.deliver()
            (task,) = world.cluster.alive()
    return key


def last(world: World) -> str:
    return list(world.cluster.tasks)[-1]


def test_what_lasts_is_parked_after_five_tasks_and_starts_again_when_it_is_moved_back(world: World) -> None:
    """The reason is kept, the slot is free, nothing is launched behind the person's back; then it runs, at once."""
    key = refuse_to_start(world, MOST_REFUSALS)
    assert world.run(key).refusals == MOST_REFUSALS - 1
    for _ in range(3):
        world.tell(last(world))
    run = world.run(key)
    assert (run.state, run.attempt, run.counted_attempts) == (RunState.QUEUED, MOST_REFUSALS + 1, 1)
    assert run.parked_at is not None
    assert (run.reason or "").startswith("parked after 5 tasks that could not start: the runner image could not be")
    assert "pull access denied" in (run.reason or "")
    assert (len(parked(world)), counting(world, key), world.waiting()) == (1, 1, [])
    assert world.figures.counted["RunsParked"] == 1
    assert world.figures.counted["RunsRelaunched"] == MOST_REFUSALS - 1
    assert world.slots().held(world.name) == {}
    for _ in range(3):
        world.reconcile(after=HOURS)
    assert (world.run(key), len(world.cluster.tasks)) == (run, MOST_REFUSALS)

    assert world.queues.move_back() == 1
    done = world.deliver()
    assert done is not None
    assert (done.result, world.run(key).parked_at) == (Result.STARTED, None)
    assert world.claim(last(world))


def test_what_is_mended_only_in_part_has_five_tasks_again(world: World) -> None:
    """Tries are bounded each time that the record is moved back, not once for all."""
    key = refuse_to_start(world, MOST_REFUSALS)
    world.tell(last(world))
    world.queues.move_back()
    for number in range(MOST_REFUSALS):
        assert world.run(key).refusals == number
        world.deliver()
        world.stop(last(world), "image")
        world.tell(last(world))
    assert (world.run(key).parked_at is not None, counting(world, key)) == (True, 1)
    assert world.figures.counted["RunsParked"] == 2


def test_what_may_pass_is_never_parked_and_begins_the_count_anew(world: World) -> None:
    """Ten tasks without a network interface cost nothing; and a role is bad only if it is five times in a row."""
    key, task = world.start()
    for how in [*["network"] * 10, *["image"] * 4, "network", *["image"] * 4]:
        world.stop(task, how)
        world.tell(task)
        run = world.run(key)
        assert (run.state, run.counted_attempts, run.parked_at) == (RunState.QUEUED, 1, None)
        world.deliver()
        (task,) = world.cluster.alive()
    assert parked(world) == []
    assert world.claim(task)


@pytest.mark.parametrize("again", [True, False], ids=["Lambda tries again", "only reconciling is left"])
def test_a_crash_around_any_call_of_parking_leaves_one_record_that_counts(world: World, *, again: bool) -> None:
    """The watcher dies before or after each call: one parked record starts the run, and any other is stale."""
    crashes = 0
    for cell in itertools.count():
        key = refuse_to_start(world, MOST_REFUSALS)
        task = last(world)
        if world.tell(task, fuse=Fuse(1 + cell // 2, after=bool(cell % 2))):
            break
        crashes += 1
        if again:
            world.tell(task)
        for _ in range(2):
            world.reconcile()
        assert (counting(world, key), world.run(key).parked_at is not None) == (1, True)
        tasks = len(world.cluster.tasks)
        world.queues.move_back()
        while world.waiting():
            world.deliver()
        assert len(world.cluster.tasks) == tasks + 1
        world.stop(last(world), "cancelled")
        world.tell(last(world))
        world.forget(key)
    assert crashes == 2 * 7, "get, event, relaunch, slot, turn, send and park are all there are"


@pytest.mark.parametrize("held", [False, True], ids=["Lambda's own record", "a pointer record"])
def test_what_sqs_parks_with_no_dispatcher_there_is_found_out(world: World, *, held: bool) -> None:
    """Its last receive was spent without a dispatch: once and for all the ledger says so, and no second is sent."""
    key = world.fail("r-1")
    if held:
        world.cluster.answers = [throttled()]
        assert world.deliver() is not None
    assert world.deliver(fuse=Fuse(4 if held else 5)) is None
    assert (world.run(key).parked_at, len(parked(world))) == (None, 1)
    world.reconcile(after=600)
    assert world.run(key).parked_at is None, "it may still be on its way"
    for _ in range(4):
        world.reconcile(after=HOURS)
        run = world.run(key)
        assert run.parked_at is not None
        assert (run.reason or "").startswith("parked by the queue")
        assert ("ThrottlingException" in (run.reason or "")) is held
    assert (world.figures.counted["RunsParked"], len(parked(world)), world.waiting()) == (1, 1, [])
    assert world.slots().held(world.name) == {}

    world.queues.move_back()
    done = world.deliver()
    assert done is not None
    assert (done.result, world.run(key).parked_at) == (Result.STARTED, None)


def test_a_record_of_a_destination_is_found_too(world: World) -> None:
    """It names its request in the body; what nobody can read is passed over, and so is what was never recorded."""
    key = world.fail("r-1")
    world.deliver(fuse=Fuse(4))
    bodies = [
        json.dumps({"requestContext": {"requestId": "r-1"}}),
        json.dumps({"requestContext": {"requestId": "r-2"}}),
    ]
    parked(world)[:] = []
    for body in (*bodies, "no JSON", "[]", '{"requestContext": {"requestId": "not an id!"}}'):
        world.queues.send_message(QueueUrl=PARKING, MessageBody=body)
    attributes = {"OvertimePointer": {"DataType": "String", "StringValue": "x"}}
    world.queues.send_message(QueueUrl=PARKING, MessageBody="{}", MessageAttributes=attributes)
    world.reconcile()
    assert world.run(key).parked_at is not None
    assert world.ledger().get(RunKey("report", "r-2")) is None


def test_a_leftover_on_the_parking_queue_parks_nothing(world: World) -> None:
    """An older record of a run that waits under a newer one says nothing about it."""
    key = world.fail("r-1")
    own = dict(world.waiting()[0])
    world.cluster.answers = [throttled()]
    world.deliver()
    parked(world)
    world.queues.sent[PARKING] = [own]
    world.reconcile()
    assert (world.run(key).parked_at, world.run(key).turn) == (None, 1)


def test_only_one_record_of_a_run_is_ever_tried(world: World) -> None:
    """Lambda's own record comes again while its pointer waits: it is acknowledged, so that only one can be parked."""
    key = world.fail("r-1")
    world.cluster.answers = [throttled()]
    world.deliver(keep=True)
    world.cluster.answers = [refused("AccessDeniedException", 400)]
    done = world.deliver()
    assert done is not None
    assert (done.result, parked(world)) == (Result.DUPLICATE, [])
    assert world.deliver() is None
    assert (len(parked(world)), world.run(key).parked_at is not None) == (1, True)


def test_who_did_not_write_it_down_does_not_count_it(world: World) -> None:
    """RunTask refuses at the last receive, and the task of another delivery claims meanwhile: nothing is parked."""
    key = world.fail("r-1")

    answer = refused("AccessDeniedException", 400)
    run_task = world.cluster.run_task

    def claims_meanwhile(**_: object) -> dict[str, object]:
        assert world.task_ledger().claim(key, 1, "arn:another")
        raise answer

    world.cluster.run_task = claims_meanwhile  # type: ignore[method-assign]
    with pytest.raises(NotDispatchedError) as told:
        world.dispatcher().dispatch(record(world.waiting()[0], 1))
    world.cluster.run_task = run_task  # type: ignore[method-assign]
    assert not told.value.parked
    assert (world.run(key).state, world.run(key).parked_at) == (RunState.RUNNING, None)


def test_a_relaunch_says_when_its_record_is_due(world: World) -> None:
    """So a record that is surely on its way is not sent a second time while dispatchers are behind."""
    key, task = world.start()
    world.stop(task, "network")
    world.tell(task)
    run = world.run(key)
    assert (run.turn, run.due_at is not None, len(world.queues.sent[QUEUE])) == (1, True, 1)
    for _ in range(9):
        world.reconcile()
    assert len(world.waiting()) == 1


DAY = 86_400


@pytest.mark.parametrize("first", ["launched", "no slot", "no capacity", "no answer"])
def test_the_time_a_person_takes_is_not_the_platforms(world: World, first: str) -> None:
    """A run that is moved back on the fourteenth day waits anew, whatever it meets first, and so says its gauge."""
    key = refuse_to_start(world, MOST_REFUSALS)
    world.tell(last(world))
    world.now += 14 * DAY - 3_600
    if first == "no slot":
        world.most = 1
        world.start("r-2")
    elif first == "no capacity":
        world.cluster.answers = [throttled()]
    elif first == "no answer":
        world.cluster.answers = [refused("ServerException", 500)]
    world.queues.move_back()
    moved_back = next(at for at, each in enumerate(world.waiting()) if str(key) in str(each["Body"]))
    assert world.deliver(moved_back) is not None
    if first == "launched":
        world.stop(last(world), "network")
        world.tell(last(world))
    assert world.run(key).parked_at is None
    world.reconcile(after=2 * 3_600)
    run = world.run(key)
    assert not run.finished, run.reason
    assert max(world.figures.durations["LongestWait"]) == pytest.approx(2 * 3_600, abs=60)


def test_a_parked_run_is_kept_for_as_long_as_its_message(world: World) -> None:
    """It has waited for days before: a person has fourteen all the same, and then it is closed."""
    key, task = world.start()
    for number in range(MOST_REFUSALS):
        if number == MOST_REFUSALS - 1:
            world.now += 5 * DAY
        world.stop(task, "image")
        world.tell(task)
        if number + 1 < MOST_REFUSALS:
            world.deliver()
            (task,) = world.cluster.alive()
    assert world.run(key).is_parked
    world.reconcile(after=13.9 * DAY)
    assert not world.run(key).finished
    world.reconcile(after=0.2 * DAY)
    assert world.run(key).state is RunState.FAILED


def test_what_was_never_recorded_is_counted_once(world: World) -> None:
    """No dispatcher ever ran: the message is all there is, and each that comes later is counted, too."""
    for number, request_id in enumerate(("r-1", "r-2"), start=1):
        world.fail(request_id)
        world.park()
        for _ in range(30):
            world.reconcile(after=HOURS)
        assert world.figures.counted["RunsParked"] == number
    assert world.figures.durations["OldestParked"][-1] == pytest.approx(60 * HOURS, abs=DAY)
    assert world.queues.move_back() == 2
    done = world.deliver()
    assert done is not None
    assert done.result is Result.STARTED


@pytest.mark.parametrize("again", [True, False], ids=["parked again", "run"])
def test_what_was_moved_back_is_news_when_it_is_parked_again(world: World, *, again: bool) -> None:
    """It is a new message; and one that ran leaves nothing to tell of."""
    world.fail("r-1")
    world.park()
    world.reconcile()
    world.queues.move_back()
    if again:
        world.park()
    else:
        world.deliver()
    world.reconcile(after=2 * 3_600)
    assert world.figures.counted["RunsParked"] == (2 if again else 1)


def test_an_open_run_with_nothing_parked_costs_no_reading(world: World) -> None:
    """A run whose record is somewhere else does not make the watcher read what lies there round by round."""
    world.queues.send_message(QueueUrl=PARKING, MessageBody="no record")
    world.fail("r-1")
    world.receives = 5
    assert world.deliver(fuse=Fuse(4)) is None
    for _ in range(60):
        world.reconcile(after=300)
    [message] = parked(world)
    assert int(str(message["receives"])) <= 7, "one in the first round, and one in each hour"


def test_a_queue_that_cannot_be_looked_at_is_a_fault_of_the_round(world: World) -> None:
    """And the runs are looked after all the same."""
    key, task = world.start()
    world.stop(task, "spot")
    error = refused("AccessDenied", 403)

    def refuse(**_: object) -> dict[str, dict[str, str]]:
        raise error

    world.queues.get_queue_attributes = refuse  # type: ignore[method-assign]
    told: list[str] = []
    done = reconcile(world.watcher(), None, lambda name, _: told.append(name))
    assert (told, done.faults, world.run(key).attempt) == (["report"], 1, 2)


def test_what_was_seen_too_early_is_looked_at_again_at_once(world: World) -> None:
    """The run may still have been on its way then; it is not left until the hour's look."""
    key = world.fail("r-1")
    world.deliver(fuse=Fuse(5))
    for _ in range(4):
        world.reconcile(after=300)
    assert world.run(key).is_parked
