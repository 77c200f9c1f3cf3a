"""Every documented way in which a task stops, before and after the claim, and where its run ends up.

Dispatcher, watcher and ledger are real; tasks stop as a row of `stops` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.model import StringShape
from botocore.session import get_session

from overtime.contract.runs import RunState
from overtime.lambdas.watcher.stopped_task import StopCode
from overtime.lambdas.watcher.verdict import MOST_REFUSALS
from tests.doubles.sqs import PARKING
from tests.faults.stops import STOPS, After, Before

if TYPE_CHECKING:
    from tests.faults.place import Place
    from tests.faults.stops import StopReason

BY_NAME = {each.name: each for each in STOPS}


def stop(place: Place, arn: str, how: StopReason) -> None:
    """Let a task stop so, and tell the watcher."""
    place.cluster.stop(arn, how.code, how.reason, how.container_reason, how.exit_code)
    place.hear(dict(place.cluster.tasks[arn]))


def end(place: Place, arn: str) -> None:
    """Let a task claim its run and return."""
    assert place.claim(arn)
    assert place.finish(arn, RunState.SUCCEEDED)
    place.stop(arn, "returned")
    place.hear(dict(place.cluster.tasks[arn]))


def next_task(place: Place) -> str:
    """Deliver what waits, which starts a task."""
    (message,) = place.waiting()
    place.receive(message)
    (arn,) = place.cluster.alive()
    return arn


@pytest.mark.parametrize("name", BY_NAME)
def test_before_the_claim(place: Place, name: str) -> None:
    """Five tasks stop so: the run waits on, or is parked with ECS's words and runs once it is moved back."""
    how = BY_NAME[name]
    key, arn = place.start("r-1")
    place.keys.append(key)
    for number in range(MOST_REFUSALS):
        stop(place, arn, how)
        if how.before is Before.CANCELLED:
            assert (place.run(key).state, place.run(key).settled_at is not None) == (RunState.CANCELLED, True)
            return
        run = place.run(key)
        assert (run.state, run.counted_attempts) == (RunState.QUEUED, 1), "it never counts"
        assert (how.reason or how.container_reason) in (run.reason or "")
        if number + 1 < MOST_REFUSALS:
            assert run.parked_at is None
            arn = next_task(place)
    if how.before is Before.PARKED:
        assert (place.run(key).parked_at is not None, place.waiting()) == (True, [])
        assert place.queues.move_back() == 1
    assert (place.run(key).parked_at is not None, PARKING in place.queues.sent) == (how.before is Before.PARKED, False)
    end(place, next_task(place))
    assert (place.run(key).state, sum(place.executed.values())) == (RunState.SUCCEEDED, 1)


@pytest.mark.parametrize("name", BY_NAME)
def test_after_the_claim(place: Place, name: str) -> None:
    """The handler may have begun: AWS's faults are made good up to three times, anything else is final."""
    how = BY_NAME[name]
    key, arn = place.start("r-1")
    for attempt in (1, 2, 3):
        assert place.claim(arn)
        stop(place, arn, how)
        run = place.run(key)
        if how.after is not After.RELAUNCHED or attempt == 3:
            break
        assert (run.state, run.attempt, run.parked_at) == (RunState.QUEUED, attempt + 1, None)
        arn = next_task(place)
    ends = {After.CANCELLED: RunState.CANCELLED}
    assert (run.state, run.attempt) == (ends.get(how.after, RunState.FAILED), attempt)
    assert attempt == (3 if how.after is After.RELAUNCHED else 1)
    assert (run.settled_at is not None, place.waiting()) == (True, [])


def test_no_stop_code_of_ecs_is_new() -> None:
    """A code that the installed service model has and the classifier has not yet been told of fails the build."""
    codes = get_session().get_service_model("ecs").shape_for("TaskStopCode")
    assert isinstance(codes, StringShape)
    assert sorted(StopCode) == sorted(codes.enum)
    assert {each.code for each in STOPS} >= set(StopCode)
    assert len(BY_NAME) == len(STOPS), "each row is played"
