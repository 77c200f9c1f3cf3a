from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunKey, RunState
from overtime.lambdas.dispatcher.dispatch import Result
from overtime.lambdas.dispatcher.failure_record import UnreadableRecordError
from overtime.ledger import pointers
from overtime.ledger.pointers import Pointer
from tests.doubles.crash import Fuse
from tests.doubles.refusals import refused, throttled
from tests.doubles.sqs import PARKING, QUEUE, record
from tests.doubles.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from overtime.lambdas.dispatcher.dispatch import Done

NO_CAPACITY = [{"reason": "Capacity is unavailable at this time"}]
QUOTA = "You've reached the limit on the number of vCPUs you can run concurrently"
EC2_THROTTLES = (
    "Error retrieving security group information for [sg-1]: Request limit exceeded. (Service: AmazonEC2; "
    "Status Code: 503; Error Code: RequestLimitExceeded; Request ID: r)"
)


@pytest.fixture
def world(dynamodb: DynamoDBClient, s3: S3Client) -> World:
    return World(dynamodb, s3, most=3)


def delivered(world: World, index: int = 0) -> Done:
    done = world.deliver(index)
    assert done is not None
    return done


def test_fifty_records_never_have_more_than_three_tasks_and_all_finish(world: World) -> None:
    """A full house holds the others: no receive is spent, nothing is parked, and each gets its turn."""
    keys = [world.fail(f"r-{index}") for index in range(50)]
    for _ in range(200):
        for _ in range(min(6, len(world.waiting()))):
            message = world.waiting()[0]
            world.deliver()
            assert message["receives"] == 1
        for task in world.cluster.alive()[:2]:
            assert world.claim(task)
            world.finish(task, RunState.SUCCEEDED)
            world.stop(task, "returned")
            world.tell(task)
        if not world.waiting() and not world.cluster.alive():
            break
    assert {world.run(key).state for key in keys} == {RunState.SUCCEEDED}
    assert (world.cluster.most_alive, len(world.cluster.tasks)) == (3, 50)
    assert PARKING not in world.queues.sent


def test_a_held_record_comes_back_later_each_time(world: World) -> None:
    """Waiting costs little: delays double up to five minutes, and are cut by up to a half."""
    world.most = 1
    world.start("r-0")
    key = world.fail("r-1")
    delays = []
    for _ in range(9):
        assert delivered(world).result is Result.HELD
        delays.append(int(str(world.waiting()[0]["DelaySeconds"])))
    assert 2 <= delays[0] <= 5
    assert 150 <= delays[-1] <= 300
    run = world.run(key)
    assert (run.state, run.turn, run.reason) == (RunState.QUEUED, 9, "all 1 slots of the function are occupied")
    assert len(run.history) == 1, "a run that waits for days does not outgrow its item"


@pytest.mark.parametrize(
    "answer",
    [
        throttled(),
        NO_CAPACITY,
        [{"reason": QUOTA}],
        refused("ClientException", 400, QUOTA),
        refused("InvalidParameterException", 400, EC2_THROTTLES),
    ],
    ids=["throttled", "no capacity", "quota", "quota as an error", "EC2 throttles"],
)
def test_where_ecs_has_no_time_or_no_capacity_the_record_is_held(
    world: World, answer: Exception | list[dict[str, str]]
) -> None:
    """However often: the run is queued, keeps its slot among the function's own, and spends no receives."""
    key = world.fail("r-1")
    for turn in (1, 2, 3, 4, 5, 6, 7):
        world.cluster.answers = [answer]
        done = delivered(world)
        assert (done.result, world.run(key).state, world.run(key).turn) == (Result.HELD, RunState.QUEUED, turn)
    assert list(world.slots().held("report")) == [(key, 1)]
    assert delivered(world).result is Result.STARTED
    assert PARKING not in world.queues.sent


def test_a_run_that_is_queued_again_does_not_count_as_parked(world: World) -> None:
    """Not even for the moment before its pointer record is sent, in which the dispatcher may crash."""
    key = world.fail("r-1")
    world.cluster.answers = [NO_CAPACITY]
    assert world.deliver(fuse=Fuse(8)) is None
    run = world.run(key)
    assert (run.state, run.turn, run.parked_at) == (RunState.QUEUED, 0, None)
    assert run.reason == "Capacity is unavailable at this time"


def test_where_no_answer_tells_the_run_stays_launching_and_is_held(world: World) -> None:
    """The next turn asks with the same token, and there is one task whatever happened."""
    key = world.fail("r-1")
    world.cluster.answers = [refused("ServerException", 500)]
    assert delivered(world).result is Result.HELD
    assert world.run(key).state is RunState.LAUNCHING
    assert delivered(world).result is Result.STARTED
    assert len(world.cluster.tasks) == 1


def test_what_only_a_person_can_fix_spends_receives_and_is_parked(world: World) -> None:
    """A missing permission does not go round for ever; the ledger says where the record is."""
    world.receives = 2
    key = world.fail("r-1")
    for _ in range(2):
        world.cluster.answers = [refused("AccessDeniedException", 400)]
        assert world.deliver() is None
    run = world.run(key)
    assert (run.state, run.reason, run.parked_at is None) == (
        RunState.QUEUED,
        "parked after 2 receives: AccessDeniedException: no",
        False,
    )
    world.waiting().append(world.queues.sent[PARKING].pop())
    world.waiting()[0]["receives"] = 0
    assert delivered(world).result is Result.STARTED
    assert world.run(key).parked_at is None


def test_a_parked_record_that_is_moved_back_may_wait_for_a_slot(world: World) -> None:
    """The run is no longer parked, so the watcher looks after its record again."""
    world.receives = 1
    key = world.fail("r-1")
    world.cluster.answers = [refused("AccessDeniedException")]
    assert world.deliver() is None
    assert world.run(key).parked_at is not None
    world.queues.move_back()
    world.slots().give_back(key, 1)
    for other in ("r-2", "r-3", "r-4"):
        world.start(other)
    assert delivered(world).result is Result.HELD
    run = world.run(key)
    assert (run.state, run.parked_at) == (RunState.QUEUED, None)


def test_a_crash_around_any_call_of_a_limited_function_ends_in_one_task(world: World) -> None:
    """Event, item, count, slot, launching, Spot, fallback, on demand, launched: die at each, and there is one task."""
    world.spot = True
    for call, after in itertools.product(range(1, 10), (False, True)):
        world.cluster.answers = [NO_CAPACITY]
        key = world.fail(f"r-{call}-{after}")
        assert world.deliver(fuse=Fuse(call, after=after)) is None
        while world.waiting():
            world.deliver()
        (task,) = world.cluster.alive()
        assert (world.about(task), world.run(key).state) == ((key, 1), RunState.LAUNCHING)
        assert list(world.slots().held("report")) == [(key, 1)]
        world.stop(task, "cancelled")
        world.tell(task)
    world.cluster.answers = [NO_CAPACITY]
    world.fail("r-0")
    assert world.deliver(fuse=Fuse(10)) is not None, "nine calls are all there are"


def test_spot_is_for_the_first_attempt_and_on_demand_for_what_it_has_no_capacity_for(world: World) -> None:
    """The fallback is remembered, so that a repeated call asks for the same."""
    world.spot = True
    first, task = world.start("r-1")
    world.cluster.answers = [NO_CAPACITY]
    second, _ = world.start("r-2")
    world.stop(task, "spot")
    world.tell(task)
    assert delivered(world).result is Result.STARTED
    asked = [(each.get("launchType"), each.get("capacityProviderStrategy")) for each in world.cluster.requests]
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert asked == [(None, spot), ("FARGATE", None), ("FARGATE", None)]
    assert (world.run(second).on_demand, world.run(first).attempt) == (True, 2)


def test_a_stale_pointer_starts_nothing(world: World) -> None:
    """An older attempt, or a turn that the ledger has passed."""
    key, task = world.start()
    world.stop(task, "image")
    world.tell(task)
    newer = world.waiting().pop()
    for pointer in (Pointer(key=key, attempt=1, turn=7), Pointer(key=key, attempt=1)):
        message = {"MessageId": "m", "Body": pointers.body(pointer), "MessageAttributes": newer["MessageAttributes"]}
        assert world.dispatcher().dispatch(record(message)).result is Result.DUPLICATE
    assert world.cluster.alive() == []
    world.waiting().append(newer)
    assert delivered(world).result is Result.STARTED


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{}", "does not name a run"),
        ("garbage", "does not name a run"),
        ('{"overtime": {"run_key": "report/r-1", "attempt": "1"}}', "not a valid number"),
        ('{"overtime": {"run_key": "other/r-1", "attempt": 1}}', "code must not run it"),
        ('{"overtime": {"run_key": "report/r-1", "attempt": 1}}', "which is not in the ledger"),
    ],
)
def test_a_pointer_that_points_nowhere_is_left_to_the_queue(world: World, body: str, text: str) -> None:
    """It is parked, where a person looks at it."""
    attributes = {pointers.ATTRIBUTE: {"DataType": "String", "StringValue": "report/r-1"}}
    with pytest.raises(UnreadableRecordError, match=text):
        world.dispatcher().dispatch(record({"MessageId": "m", "Body": body, "MessageAttributes": attributes}))


def test_an_event_that_looks_like_a_pointer_is_an_event(world: World) -> None:
    """The attribute decides, and only overtime sets it."""
    world.queues.send_message(
        QueueUrl=QUEUE,
        MessageBody=pointers.body(Pointer(key=RunKey("report", "r-9"), attempt=3)),
        MessageAttributes={
            "RequestID": {"DataType": "String", "StringValue": "r-1"},
            "ErrorMessage": {"DataType": "String", "StringValue": "Task timed out after 9 seconds"},
        },
    )
    done = delivered(world)
    assert (done.result, done.key.request_id) == (Result.STARTED, "r-1")
    assert json.loads(world.ledger().event(done.key))["overtime"]["attempt"] == 3
