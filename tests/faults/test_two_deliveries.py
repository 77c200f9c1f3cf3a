"""Two deliveries of one record at once, the first of which crashes: two faults together, which no cell has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.contract.runs import RunState
from tests.faults.wire import Mode, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.place import Place

LAUNCHING = "dynamodb:UpdateItem", 1
"""The write with which a dispatcher moves a run from `queued` to `launching`."""


def crash_before_run_task() -> Wire:
    return Wire(("ecs:RunTask", 1), Mode.BEFORE)


def meanwhile(act: Callable[[], object]) -> Wire:
    """Stop a dispatcher, which has read the run as queued, before its write to `launching` until `act` is over."""
    wire = Wire(LAUNCHING, Mode.FROZEN)
    wire.meanwhile = act
    return wire


def test_the_second_delivery_starts_the_task_that_the_first_did_not(place: Place) -> None:
    """Acknowledged as a duplicate, the message would be deleted, and the watcher would send another after six hours."""
    key = place.fail("r-1")
    [message] = place.waiting()
    place.receive(
        message, wire=meanwhile(lambda: place.receive(message | {"receives": 0}, wire=crash_before_run_task()))
    )
    run = place.run(key)
    assert (run.state, run.attempt, place.waiting()) == (RunState.LAUNCHING, 1, [])
    assert [run.task_arn] == place.cluster.alive()


def test_the_second_delivery_leaves_a_later_attempt_to_its_own_record(place: Place) -> None:
    """The task of the first attempt is lost, and the dispatcher that receives the second attempt's record crashes."""
    key = place.fail("r-1")
    [message] = place.waiting()

    def the_next_attempt_is_launched() -> None:
        place.receive(message | {"receives": 0})
        [first] = place.cluster.alive()
        place.stop(first, "spot")
        place.tell_all()
        [pointer] = place.waiting()
        place.receive(pointer, wire=crash_before_run_task())

    place.receive(message, wire=meanwhile(the_next_attempt_is_launched))
    run = place.run(key)
    assert (run.state, run.attempt, run.task_arn) == (RunState.LAUNCHING, 2, None)
    assert place.cluster.alive() == []
    [pointer] = place.waiting()
    place.receive(pointer)
    assert [place.run(key).task_arn] == place.cluster.alive()


def test_the_second_delivery_starts_nothing_if_the_first_has_a_task(place: Place) -> None:
    """Not even if that task has stopped, so that ECS would start another with the same token."""
    key = place.fail("r-1")
    [message] = place.waiting()

    def the_first_task_stops() -> None:
        place.receive(message | {"receives": 0})
        [first] = place.cluster.alive()
        place.stop(first, "spot")

    place.receive(message, wire=meanwhile(the_first_task_stops))
    assert [place.run(key).task_arn] == list(place.cluster.tasks)
