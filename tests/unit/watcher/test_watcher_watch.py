from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from overtime.contract.destinations import LARGEST_RECORD
from overtime.contract.runs import RunState
from overtime.lambdas.watcher.owners import NO_DESTINATION, UNDELIVERABLE
from tests.doubles.crash import Fuse
from tests.doubles.ecs import STOPS
from tests.doubles.sqs import QUEUE
from tests.doubles.world import EVENT, FAILURE, FUNCTION_ARN, SUCCESS

if TYPE_CHECKING:
    from tests.doubles.world import World

CALLS = {"relaunch": 6, "close": 8, "settle": 8}
"""External calls of the watcher in each story."""
RELAUNCHED, CANCELLED, FAILED = RunState.QUEUED, RunState.CANCELLED, RunState.FAILED


WAYS_TO_DIE = {
    "spot": (RELAUNCHED, RELAUNCHED),
    "image": (RELAUNCHED, RELAUNCHED),
    "network": (RELAUNCHED, RELAUNCHED),
    "health": (RELAUNCHED, RELAUNCHED),
    "code": (RELAUNCHED, RELAUNCHED),
    "capacity": (RELAUNCHED, RELAUNCHED),
    "host": (RELAUNCHED, RELAUNCHED),
    "memory": (RELAUNCHED, FAILED),
    "killed": (RELAUNCHED, FAILED),
    "cancelled": (CANCELLED, CANCELLED),
    "deaf": (CANCELLED, CANCELLED),
    "returned": (RELAUNCHED, FAILED),
    "duplicate": (RELAUNCHED, FAILED),
}
"""What becomes of a run whose task had not claimed it, and of one whose task had."""


@pytest.mark.parametrize("exit_code", [True, False], ids=["with exit code", "without exit code"])
def test_a_task_that_dies_without_a_word_ends_or_relaunches_its_run(world: World, *, exit_code: bool) -> None:
    """Each way to die, before and after the claim, told with and without exit code, once and three times: same end."""
    assert set(WAYS_TO_DIE) == set(STOPS)
    for (how, ends), claims in itertools.product(WAYS_TO_DIE.items(), (False, True)):
        key, task = world.start(f"{how}-{claims}")
        assert not claims or world.claim(task)
        world.stop(task, how)
        for _ in range(3):
            world.tell(task, exit_code=exit_code)
        run = world.run(key)
        assert run.state is ends[claims], (how, claims)
        assert run.attempt == (2 if run.state is RELAUNCHED else 1)
        assert run.reason
        assert (run.settled_at is not None) is run.finished
    assert world.figures.counted["RunsRelaunched"] == list(itertools.chain(*WAYS_TO_DIE.values())).count(RELAUNCHED)


def test_a_relaunched_run_gets_a_second_task_and_its_first_is_fenced_off(world: World) -> None:
    """A late claim and a late finish of the older task change nothing; the newer one's result is the run's."""
    key, first = world.start()
    assert world.claim(first)
    world.stop(first, "spot")
    world.tell(first)
    (pointer,) = world.waiting()
    assert 0 < int(str(pointer["DelaySeconds"])) <= 900
    world.deliver()
    (second,) = world.cluster.alive()
    assert not world.claim(first)
    assert world.claim(second)
    assert not world.finish(first, RunState.FAILED, b"old")
    assert world.finish(second, RunState.SUCCEEDED, b"new")
    world.stop(second, "returned")
    world.tell(second)
    assert (world.run(key).state, world.ledger().result(world.run(key))) == (RunState.SUCCEEDED, b"new")
    assert world.executed == {(key, 1): 1, (key, 2): 1}


def test_attempts_end_and_the_reason_says_so(world: World) -> None:
    """The third host that is lost under the handler is the last."""
    key, task = world.start()
    for attempt in (1, 2, 3):
        assert world.claim(task)
        world.stop(task, "host")
        world.tell(task)
        assert len(world.waiting()) == (0 if attempt == 3 else 1)
        if attempt < 3:
            world.deliver()
            (task,) = world.cluster.alive()
    run = world.run(key)
    assert (run.state, run.error_type) == (FAILED, "Overtime.HostFailure")
    assert "maintenance" in (run.reason or "")
    assert "task attempt 3 of 3" in (run.reason or "")
    assert len(world.told(FAILURE)) == 1


def test_a_runner_that_spot_stopped_is_relaunched_though_it_said_cancelled(world: World) -> None:
    """SIGTERM looks the same to the runner whoever sends it; ECS tells the two apart."""
    for request_id, how, end in (("r-1", "spot", RELAUNCHED), ("r-2", "cancelled", CANCELLED)):
        key, task = world.start(request_id)
        world.claim(task)
        world.finish(task, CANCELLED)
        world.stop(task, how)
        world.tell(task)
        assert world.run(key).state is end
    (sent,) = world.told(FAILURE)
    assert "r-2" in str(sent["requestContext"])


@pytest.mark.parametrize("closed_by", ["the runner", "the watcher"])
def test_a_person_s_cancel_stays_when_its_owner_cannot_be_told(world: World, closed_by: str) -> None:
    """Settling fails until ECS has forgotten who stopped the task: still cancelled, and the handler ran once."""
    world.function = replace(world.function, on_failure="arn:aws:s3:::gone")
    key, task = world.start()
    world.claim(task)
    if closed_by == "the runner":
        world.finish(task, CANCELLED)
    world.stop(task, "cancelled" if closed_by == "the runner" else "deaf")
    world.tell(task)
    assert world.run(key).cancelled_by_person
    del world.cluster.tasks[task]
    for _ in range(2):
        world.reconcile(after=3_600)
    run = world.run(key)
    assert (run.state, run.attempt, run.settled_at, world.waiting()) == (CANCELLED, 1, None, [])
    assert world.executed == {(key, 1): 1}


def test_a_task_that_ecs_forgot_opens_no_cancelled_run(world: World) -> None:
    """Nobody looked for an hour: who stopped it cannot be told, and a handler is not run again on a guess."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, CANCELLED)
    del world.cluster.tasks[task]
    world.reconcile(after=3_600)
    assert (world.run(key).state, world.run(key).attempt) == (CANCELLED, 1)
    assert len(world.told(FAILURE)) == 1


def test_a_task_that_the_watcher_ended_after_its_run_opens_nothing(world: World) -> None:
    """The runner said cancelled, its container hung on, and the watcher stopped it: that was nobody's wish to go on."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, CANCELLED)
    world.reconcile(after=3_600)
    assert world.cluster.alive() == []
    world.tell(task)
    assert (world.run(key).state, world.run(key).attempt) == (CANCELLED, 1)
    assert world.run(key).settled_at is not None


def test_a_run_that_a_person_cancelled_stays_so_when_spot_takes_its_task(world: World) -> None:
    """Nobody's cancel is undone."""
    key, task = world.start()
    world.claim(task)
    world.ledger().cancel(key, 1, "by hand")
    world.stop(task, "spot")
    world.tell(task)
    assert (world.run(key).state, world.waiting()) == (CANCELLED, [])


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT])
def test_what_the_runner_closed_stays_as_it_is(world: World, state: RunState) -> None:
    """However the task then ended, and however often that is told."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, state)
    for how in STOPS:
        world.stop(task, how)
        world.tell(task)
    assert (world.run(key).state, world.run(key).attempt) == (state, 1)
    assert len(world.told(SUCCESS)) + len(world.told(FAILURE)) == 1


def test_an_event_about_a_newer_time_or_another_task_changes_nothing(world: World) -> None:
    """Late: the run is at attempt 2 already. Another: a second task of the attempt lost the race for the claim."""
    key, task = world.start()
    world.stop(task, "image")
    world.tell(task)
    world.deliver()
    (second,) = world.cluster.alive()
    world.claim(second)
    before = world.run(key)
    world.tell(task)
    other = f"{second}-other"
    world.cluster.tasks[other] = world.cluster.tasks[second] | {"taskArn": other}
    world.stop(other, "duplicate")
    world.tell(other)
    assert world.run(key) == before


def test_a_task_that_is_no_runs_is_ignored(world: World) -> None:
    """Other tasks may live in the cluster, and ours still move."""
    _, task = world.start()
    assert world.watcher().on_event({"taskArn": "t", "lastStatus": "STOPPED"}) is None
    assert world.watcher().on_event(world.cluster.tasks[task]) is None


def test_the_owner_gets_what_lambda_would_have_sent(world: World) -> None:
    """Success: event and result character by character, in Lambda's fields."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, RunState.SUCCEEDED, b'{"n": 1.0,  "n": 12345678901234567890}')
    world.stop(task, "returned")
    world.tell(task)
    (message,) = world.queues.sent["done"]
    body = str(message["Body"])
    assert EVENT.decode() in body
    assert '{"n": 1.0,  "n": 12345678901234567890}' in body
    (sent,) = world.told(SUCCESS)
    assert list(sent) == [
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    ]
    assert sent["requestContext"] == {
        "requestId": "r-1",
        "functionArn": f"{FUNCTION_ARN}:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 4,
    }
    assert sent["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert message["MessageAttributes"] == {"OvertimeRunKey": {"DataType": "String", "StringValue": str(key)}}
    assert (world.run(key).notified, world.figures.counted["RunsSucceeded"]) == (SUCCESS, 1)
    assert set(world.figures.durations) == {"RunDuration", "FailureToHandlerStart"}


def test_a_killed_run_is_told_of_as_a_crashed_function_is(world: World) -> None:
    """No result was left, so the error says what ECS said."""
    _, task = world.start()
    world.claim(task)
    world.stop(task, "killed")
    world.tell(task)
    (sent,) = world.told(FAILURE)
    assert sent["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert sent["requestPayload"] == json.loads(EVENT)
    assert sent["responsePayload"] == {
        "errorMessage": "RequestId: r-1 Error: Runtime exited with error: signal: killed (Essential container in task "
        "exited)",
        "errorType": "Runtime.ExitError",
    }


@pytest.mark.parametrize("again", [True, False], ids=["the event comes again", "only reconciling is left"])
@pytest.mark.parametrize("story", ["relaunch", "close", "settle"])
def test_a_crash_around_any_call_ends_as_if_there_had_been_none(world: World, story: str, *, again: bool) -> None:
    """The watcher dies before or after each of its calls: the run ends the same, its owner is told, no slot is lost."""
    crashes = 0
    for cell in itertools.count():
        call, after = 1 + cell // 2, bool(cell % 2)
        key, task = world.start(f"{story}-{call}-{after}")
        world.claim(task)
        if story == "settle":
            world.finish(task, RunState.SUCCEEDED)
        world.stop(task, "spot" if story == "relaunch" else "killed")
        if world.tell(task, fuse=Fuse(call, after=after)):
            break  # so many calls there are
        crashes += 1
        if again:
            world.tell(task)
        else:
            world.reconcile()
        if story == "relaunch":
            assert any(str(key) in str(message["Body"]) for message in world.waiting())
            while world.waiting():
                world.deliver()
            assert [world.about(arn) for arn in world.cluster.alive()].count((key, 2)) == 1
            assert (world.run(key).state, world.run(key).attempt) == (RunState.LAUNCHING, 2)
        else:
            end, where = (FAILED, FAILURE) if story == "close" else (RunState.SUCCEEDED, SUCCESS)
            assert (world.run(key).state, world.run(key).notified) == (end, where)
            assert {str(sent) for sent in world.told(where) if f'"{key.request_id}"' in json.dumps(sent)}
        assert world.executed[key, 1] == 1
        world.forget(key)
    assert crashes == 2 * CALLS[story]


def test_a_destination_that_takes_nothing_is_tried_for_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run stays open until then, each try is counted and logged, and the ledger says at last that nobody was told.

    The end itself is counted at once and once: a dead destination must not hide a failed run.
    """
    key, task = world.start()
    world.claim(task)
    world.stop(task, "killed")
    with monkeypatch.context() as patch:
        patch.setattr(world, "function", type(world.function)(function_arn=FUNCTION_ARN, on_failure="arn:aws:s3:::b"))
        world.tell(task)
        assert world.run(key).settled_at is None
        assert world.figures.counted == {"RunsFailed": 1, "DestinationDeliveryFailures": 1}
        world.now += 86_400
        world.tell(task)
    assert world.run(key).notified == UNDELIVERABLE
    assert world.figures.counted == {"RunsFailed": 1, "DestinationDeliveryFailures": 2}
    assert ["cannot be sent to 'arn:aws:s3:::b'" in str(error) for _, error in world.faults] == [True, True]


@pytest.mark.parametrize(
    ("claims", "how", "counted"),
    [
        (True, "killed", "RunsFailed"),
        (True, "memory", "RunsFailed"),
        (True, "cancelled", "RunsCancelled"),
        (True, "host", "RunsFailedByPlatform"),
    ],
)
def test_whose_fault_a_failed_run_is(world: World, how: str, counted: str, *, claims: bool) -> None:
    """The handler's faults and the platform's are counted apart, each run once although its event comes three times."""
    world.function = replace(world.function, max_task_attempts=1)
    key, task = world.start()
    assert not claims or world.claim(task)
    world.stop(task, how)
    for _ in range(3):
        world.tell(task)
    world.reconcile()
    assert world.run(key).finished
    assert world.figures.counted == {counted: 1}


def test_a_run_that_timed_out_is_a_failed_one_to_the_alarm(world: World) -> None:
    """An alarm looks at one metric."""
    _, task = world.start()
    world.claim(task)
    world.finish(task, RunState.TIMED_OUT)
    world.stop(task, "returned")
    world.tell(task)
    assert world.figures.counted == {"RunsFailed": 1, "RunsTimedOut": 1}


def test_an_end_that_was_taken_back_is_not_counted(world: World) -> None:
    """Spot took the host, and the runner closed its run as `cancelled`: only the next attempt's end counts."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, CANCELLED)
    world.reconcile(after=60)
    world.stop(task, "spot")
    world.tell(task)
    assert world.run(key).state is RELAUNCHED
    assert world.figures.counted == {"RunsRelaunched": 1}


def test_a_function_that_left_the_stack_ends_its_runs(world: World) -> None:
    """There is no queue to relaunch through and nobody to tell, and that is what the ledger says."""
    key, task = world.start()
    world.stop(task, "spot")
    world.function = type(world.function)()
    world.tell(task)
    run = world.run(key)
    assert (run.state, run.notified) == (FAILED, NO_DESTINATION)
    assert "no longer in the stack" in (run.reason or "")
    assert QUEUE in world.queues.sent


def test_a_lack_of_capacity_is_waited_out(world: World) -> None:
    """Five tasks find none, which spends none of the three attempts; the sixth runs, and a lost host still counts."""
    key, task = world.start()
    for attempt in range(1, 6):
        world.stop(task, "capacity")
        world.tell(task)
        run = world.run(key)
        assert (run.state, run.attempt, run.counted_attempts) == (RunState.QUEUED, attempt + 1, 1)
        world.deliver()
        (task,) = world.cluster.alive()
    for _ in range(2):
        assert world.claim(task)
        world.stop(task, "host")
        world.tell(task)
        world.deliver()
        (task,) = world.cluster.alive()
    world.claim(task)
    world.finish(task, RunState.SUCCEEDED)
    world.stop(task, "returned")
    world.tell(task)
    run = world.run(key)
    assert (run.state, run.attempt, run.counted_attempts) == (RunState.SUCCEEDED, 8, 3)
    (sent,) = world.told(SUCCESS)
    context = cast("dict[str, object]", sent["requestContext"])
    assert context["approximateInvokeCount"] == 3 + 3, "only what claimed the run can have run the handler"


def starve(world: World, task: str, times: int) -> str:
    """Let so many tasks of a run find no capacity, an hour apart, and return the next."""
    for _ in range(times):
        world.now += 3_600
        world.stop(task, "capacity")
        world.tell(task)
        world.deliver()
        (task,) = world.cluster.alive()
    return task


@pytest.mark.parametrize("lost", [False, True], ids=["its task stops", "its record is lost"])
def test_a_lack_of_capacity_ends_after_14_days(world: World, *, lost: bool) -> None:
    """Counted from the first wait, whichever attempt it is by then."""
    key, task = world.start()
    task = starve(world, task, 4)
    world.now += 13 * 86_400
    task = starve(world, task, 1)
    assert (world.run(key).state, world.run(key).attempt) == (RunState.LAUNCHING, 6)
    if lost:
        world.stop(task, "capacity")
        world.tell(task)
        world.waiting().clear()
        world.reconcile(after=86_400)
        world.reconcile()
    else:
        world.now += 86_400
        world.stop(task, "capacity")
        world.tell(task)
    run = world.run(key)
    assert (run.state, run.error_type) == (FAILED, "Overtime.NoCapacity")
    assert "14 days" in (run.reason or "")
    assert len(world.told(FAILURE)) == 1


def test_a_run_that_waits_for_capacity_does_not_outgrow_its_item(world: World) -> None:
    """4,000 tasks in 14 days would leave 12,000 steps: after a hundred only what ends the waiting is remembered."""
    key, task = world.start()
    item = world.dynamodb.get_item(TableName="runs", Key={"run_key": {"S": str(key)}})["Item"]
    world.dynamodb.put_item(TableName="runs", Item=item | {"history": {"L": [*item["history"]["L"]] * 33}})
    steps = len(world.run(key).history)
    assert steps == 99
    task = starve(world, task, 1)
    grown = len(world.run(key).history)
    task = starve(world, task, 3)
    steps = len(world.run(key).history)
    assert (steps, world.run(key).attempt) == (grown, 5)
    world.claim(task)
    world.stop(task, "host")
    world.tell(task)
    assert [step.state for step in world.run(key).history[steps:]] == [RunState.RUNNING, RunState.QUEUED]


def test_payloads_that_no_destination_takes_are_not_read(world: World) -> None:
    """Event and result are over the largest record by their sizes alone."""
    key, task = world.start()
    world.claim(task)
    world.finish(task, RunState.SUCCEEDED)
    world.dynamodb.update_item(
        TableName="runs",
        Key={"run_key": {"S": str(key)}},
        UpdateExpression="SET event_size = :size",
        ExpressionAttributeValues={":size": {"N": str(LARGEST_RECORD - 5)}},
    )
    world.stop(task, "returned")
    world.tell(task)
    (sent,) = world.told(SUCCESS)
    assert not {"requestPayload", "responsePayload"} & set(sent)


def test_the_end_that_is_counted_is_the_one_that_was_written_down(world: World) -> None:
    """A watcher that read `cancelled` counts what another one, who knew better, has made of the run meanwhile."""
    world.function = replace(world.function, max_task_attempts=1)
    key, task = world.start()
    world.claim(task)
    world.finish(task, RunState.CANCELLED)
    read = world.run(key)
    reason = "AWS stopped the task"
    world.ledger().abandon(key, 1, reason, held_by=task, error_type="Overtime.Interrupted", reopened=True)
    world.watcher().count(read)
    assert world.figures.counted == {"RunsFailedByPlatform": 1}
