from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunState, slots_key
from overtime.lambdas.dispatcher.dispatch import Result
from overtime.lambdas.watcher.reconcile import Reconciled, reconcile
from overtime.lambdas.watcher.tasks import Tasks
from tests.doubles.crash import Fuse
from tests.doubles.refusals import refused, throttled
from tests.doubles.world import FAILURE, World

if TYPE_CHECKING:
    from overtime.contract.runs import RunKey

HOURS, DAY = 7 * 3_600, 86_400
HOST = "ip-10-42-0-17.eu-west-1.compute.internal"


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
        world.reconcile(after=HOURS)
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
    fuse = Fuse(4, after=True)  # scan, get, a look at the parking queue, send
    assert not world.reconcile(after=HOURS, fuse=fuse)
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
    """An item that cannot be read is reported by its key, and neither the round nor another run has failed."""
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
    assert reconcile(world.watcher(), None, lambda key, _: told.append(key)) == Reconciled(2, 0)
    assert told == [str(bad)]
    assert world.run(good).state is RunState.FAILED


def held_by_a_host(world: World) -> tuple[RunKey, str]:
    """Start a run whose task claimed it under a name that ECS does not know tasks by."""
    key, task = world.start("r-1")
    assert world.task_ledger().claim(key, 1, HOST)
    return key, task


def test_a_task_that_ecs_cannot_be_asked_about_does_not_hold_up_its_neighbours(world: World) -> None:
    """ECS refuses a call that names it; the others of the call are looked after all the same."""
    held_by_a_host(world)
    other, second = world.start("r-2")
    world.claim(second)
    world.stop(second, "killed")
    assert reconcile(world.watcher(), None, raises).looked_at == 2
    assert (world.run(other).state, world.run(other).settled_at is not None) == (RunState.FAILED, True)


def test_a_task_that_ecs_cannot_be_asked_about_may_go_on_for_as_long_as_tasks_do(world: World) -> None:
    """No second task runs the handler beside the first; after 14 days it is as lost as any other."""
    key, task = held_by_a_host(world)
    world.reconcile(after=14 * DAY)
    assert (world.run(key).state, world.run(key).attempt, world.cluster.alive()) == (RunState.RUNNING, 1, [task])
    world.reconcile(after=2 * 3_600)
    assert (world.run(key).state, world.run(key).attempt) == (RunState.QUEUED, 2)


def test_a_finished_run_is_settled_whatever_its_task_is_called(world: World) -> None:
    """There is nothing left to wait for."""
    key, _ = held_by_a_host(world)
    assert world.task_ledger().finish(key, 1, HOST, RunState.FAILED, exit_code=1)
    world.reconcile(after=600)
    assert world.run(key).settled_at is not None


def raises(_: str, error: Exception) -> None:
    raise error


def unsettled(world: World, request_id: str, state: RunState) -> RunKey:
    """Leave a run that has ended and whose owner was not told."""
    key, task = world.start(request_id)
    world.claim(task)
    world.finish(task, state)
    world.stop(task, "returned")
    return key


def test_runs_at_work_come_before_owners_that_cannot_be_told(world: World) -> None:
    """Each look takes ten seconds of a minute and a half: the task that died is found, and the rest is left."""
    world.function = replace(world.function, on_failure="arn:aws:s3:::gone")
    for index in range(20):
        unsettled(world, f"r-{index}", RunState.FAILED)
    key, task = world.start("r-20")
    world.claim(task)
    world.stop(task, "spot")
    seconds = itertools.count(60 + 50 * 10, -10)
    assert reconcile(world.watcher(), None, raises, remaining=lambda: next(seconds)).left > 0
    assert (world.run(key).state, world.run(key).attempt) == (RunState.QUEUED, 2)
    assert 0 < next(seconds) < 60, "it ended in time"


def test_an_end_is_counted_before_any_owner_is_told(world: World) -> None:
    """There is no time to tell owners, nor is the task's end known: the failed run is counted all the same, once."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, RunState.FAILED)
    for _ in range(2):
        looks = itertools.count(2, -1)  # the parking queue comes first
        done = reconcile(world.watcher(), None, raises, remaining=lambda looks=looks: 60 * next(looks))  # type: ignore[misc]
        assert done == Reconciled(0, 1)
    assert (world.run(key).settled_at, world.figures.counted) == (None, {"RunsFailed": 1})


def test_who_waits_and_for_how_long_is_told(world: World) -> None:
    """Runs for which nothing has started; one that is parked waits for a person, and where none waits none is told."""
    world.most = 1
    _, task = world.start("r-0")
    world.claim(task)
    world.reconcile(after=60)
    assert "RunsWaiting" not in world.figures.counted
    for index in (1, 2):
        world.fail(f"r-{index}")
        world.deliver(len(world.waiting()) - 1)
        world.now += 3_600
    world.reconcile(after=0)
    assert world.figures.counted["RunsWaiting"] == 2
    assert world.figures.durations["LongestWait"] == [pytest.approx(7_200, abs=5)]
    assert world.figures.durations["RunAge"][-1] == pytest.approx(7_260, abs=5)
    (ledger, parked) = world.ledger(), world.fail("r-3")
    world.deliver(len(world.waiting()) - 1)
    ledger.launching(parked, 1)
    ledger.release(parked, 1, "AccessDenied", parked=True)
    world.figures.counted.clear()
    world.reconcile(after=0)
    assert world.figures.counted["RunsWaiting"] == 2


def test_how_long_runs_work_is_told_while_ecs_does_not_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The round fails, and whoever waits for the alarm on long runs or waits is not kept from it."""

    def silent(*_: object) -> None:
        raise refused("ServerException", 500)

    _, task = world.start()
    world.claim(task)
    monkeypatch.setattr(Tasks, "describe", silent)
    with pytest.raises(Exception, match="ServerException"):
        world.reconcile(after=3_600)
    assert world.figures.durations["RunAge"] == [pytest.approx(3_600, abs=5)]


def test_everybody_has_a_turn_where_time_is_short(world: World) -> None:
    """With time for one owner each time, those that cannot be told do not keep the one that can from being told."""
    world.function = replace(world.function, on_failure="arn:aws:s3:::gone")
    for index in range(4):
        unsettled(world, f"r-{index}", RunState.FAILED)
    key = unsettled(world, "r-4", RunState.SUCCEEDED)
    for _ in range(100):
        looks = itertools.count(12, -1)  # one queue, two reads of five runs, one run settled, and one look that ends it
        reconcile(world.watcher(), None, raises, remaining=lambda looks=looks: 60 * next(looks))  # type: ignore[misc]
        if world.run(key).settled_at is not None:
            break
    assert world.run(key).settled_at is not None
    assert len(list(world.ledger().open_keys())) == 4


def test_time_that_is_enough_leaves_nothing(world: World) -> None:
    """The answer counts what was looked at and what was left."""
    for index in range(3):
        unsettled(world, f"r-{index}", RunState.SUCCEEDED)
    assert reconcile(world.watcher(), None, raises, remaining=lambda: 0) == Reconciled(0, 3)
    assert reconcile(world.watcher(), None, raises, remaining=lambda: 300) == Reconciled(3, 0)
    assert reconcile(world.watcher(), None, raises) == Reconciled(0, 0)
