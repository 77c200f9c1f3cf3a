from __future__ import annotations

import pytest

from lambdas.dispatcher.dispatch import Result
from lambdas.watcher.reconcile import ReconcileError, reconcile
from overtime.ledger.model import RunState, slots_key
from tests.unit.watcher.world import FAILURE, Fuse, World, refused, throttled

DAY = 86_400


def test_a_run_whose_task_ecs_forgot_is_relaunched(world: World) -> None:
    """The event was lost and an hour has passed: launching and running alike."""
    for request_id, claims in (("r-1", False), ("r-2", True)):
        key, task = world.start(request_id)
        assert not claims or world.claim(task)
        del world.cluster.tasks[task]
        world.reconcile(after=60)
        assert world.run(key).attempt == 1, "a task that just started may not be known everywhere yet"
        world.reconcile()
        run = world.run(key)
        assert (run.state, run.attempt) == (RunState.QUEUED, 2)
        assert "ECS no longer knows the task" in (run.reason or "")


def test_an_event_that_never_came_is_made_up_for(world: World) -> None:
    """A task that stopped is found stopped, at once."""
    key, task = world.start()
    world.claim(task)
    world.stop(task, "memory")
    world.reconcile(after=0)
    assert (world.run(key).state, world.run(key).error_type) == (RunState.FAILED, "Runtime.OutOfMemory")
    assert len(world.told(FAILURE)) == 1


def test_a_live_task_is_left_alone_unless_it_has_nothing_to_do(world: World) -> None:
    """Running for days is what runs are for; never claiming, or outliving the run's end, is not."""
    (running, first), (stuck, _), (ended, third) = (world.start(f"r-{index}") for index in range(3))
    for task in (first, third):
        world.claim(task)
    world.finish(third, RunState.SUCCEEDED)
    world.reconcile(after=5 * 60)
    assert len(world.cluster.alive()) == 3
    world.reconcile(after=2 * 60 * 60)
    assert world.cluster.alive() == [first]
    world.reconcile(after=10 * DAY)
    assert world.run(running).state is RunState.RUNNING
    assert world.figures.durations["RunAge"][-1] > 10 * DAY, "how long it is at work is told each time"
    assert (world.run(stuck).state, world.run(stuck).attempt) == (RunState.QUEUED, 2)
    assert "did not claim" in str(world.run(stuck).history[-1].reason)
    assert world.run(ended).settled_at is not None


def test_a_waiting_run_without_a_record_gets_a_new_one_but_never_many(world: World) -> None:
    """However often the watcher points at it, one record counts and the others are stale."""
    key = world.fail("r-1")
    world.cluster.answers = [throttled()]
    assert world.deliver() is not None
    world.waiting().clear()
    for turn in (2, 3, 4):
        world.reconcile()
        assert world.run(key).turn == turn
    world.reconcile(after=60)
    assert [str(message["Body"]).count('"turn":4') for message in world.waiting()] == [0, 0, 1]
    results = [world.deliver() for _ in range(3)]
    assert [done.result for done in results if done] == [Result.DUPLICATE, Result.DUPLICATE, Result.STARTED]


def test_a_crash_between_the_two_writes_of_a_pointer_loses_nothing(world: World) -> None:
    """A record whose turn the ledger does not know yet is good."""
    key = world.fail("r-1")
    world.cluster.answers = [throttled()]
    world.deliver()
    world.waiting().clear()
    fuse = Fuse(3, after=True)  # scan, get, send
    assert not world.reconcile(fuse=fuse)
    assert world.run(key).turn == 1
    done = world.deliver()
    assert done is not None
    assert done.result is Result.STARTED


def test_a_parked_run_waits_for_a_person_and_ends_after_14_days(dynamodb: object, s3: object) -> None:
    """It is not launched behind the person's back; and it does end."""
    world = World(dynamodb, s3, receives=1, most=1)  # type: ignore[arg-type]
    key = world.fail("r-1")
    world.cluster.answers = [refused("AccessDeniedException", 400)]
    world.deliver()
    assert world.run(key).parked_at is not None
    world.reconcile()
    assert (world.run(key).state, world.waiting()) == (RunState.QUEUED, [])
    assert world.slots().held("report") == {}, "its place is free for others"
    world.reconcile(after=14 * DAY)
    world.reconcile()
    run = world.run(key)
    assert (run.state, run.error_type) == (RunState.FAILED, "Overtime.NoCapacity")
    assert run.settled_at is not None


def test_a_skipped_run_is_told_of_too(world: World) -> None:
    """It failed for good on Lambda, and that is what the owner would have heard."""
    world.queues.send_message(
        QueueUrl="https://queue/failures",
        MessageBody="{}",
        MessageAttributes={
            "RequestID": {"DataType": "String", "StringValue": "r-1"},
            "ErrorMessage": {"DataType": "String", "StringValue": "'customer'"},
        },
    )
    world.deliver()
    world.reconcile()
    world.reconcile()
    (sent,) = world.told(FAILURE)
    assert sent["responsePayload"] == {"errorMessage": "'customer'"}


def test_slots_that_nobody_gave_back_are_found(dynamodb: object, s3: object) -> None:
    """A crash may leave one behind; the item then leaves the watcher's sight until it holds something again."""
    world = World(dynamodb, s3, most=2)  # type: ignore[arg-type]
    key, task = world.start()
    world.claim(task)
    world.finish(task, RunState.SUCCEEDED)
    world.stop(task, "returned")
    world.tell(task)
    world.slots().take(key, 1, most=2)
    world.reconcile(after=60)
    assert list(world.slots().held("report")) == [(key, 1)]
    world.reconcile()
    assert world.slots().held("report") == {}
    world.reconcile()
    assert list(world.ledger().open_keys()) == []
    world.start("r-2")
    assert slots_key("report") in set(world.ledger().open_keys())


def test_one_run_that_cannot_be_handled_does_not_hold_up_the_others(world: World) -> None:
    """Each failure is reported by its run, and the whole fails at the end."""
    (bad, first), (good, second) = world.start("r-1"), world.start("r-2")
    for task in (first, second):
        world.claim(task)
        world.stop(task, "killed")
    world.dynamodb.update_item(
        TableName="runs",
        Key={"run_key": {"S": str(bad)}},
        UpdateExpression="SET #a = :a",
        ExpressionAttributeNames={"#a": "attempt"},
        ExpressionAttributeValues={":a": {"S": "one"}},
    )
    told: list[str] = []
    with pytest.raises(ReconcileError, match="1 of 2 open runs"):
        reconcile(world.watcher(), None, lambda key, _: told.append(key))
    assert told == [str(bad)]
    assert world.run(good).state is RunState.FAILED
