"""Outages of hours in simulated time: what may pass is waited out, what lasts is parked, mended and moved back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from overtime.contract.runs import RunState
from overtime.lambdas.watcher.verdict import MOST_REFUSALS
from tests.doubles.sqs import PARKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.place import Place

RUNS = 4
_MINUTE, _HOUR = 60, 3_600
_NO_ADDRESS = (
    "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': "
    "InsufficientFreeAddressesInSubnet"
)
_BAD_ROLE = "ECS was unable to assume the role 'arn:aws:iam::1:role/e' that was provided for this task."


class Outage:
    """Time goes on by half minutes: messages come when they are due, tasks start or do not, and the clock rings."""

    def __init__(self, place: Place, reason: str) -> None:
        self.place, self._reason = place, reason
        place.most = 3
        self.began = place.now
        self.mended = False
        self._due: dict[str, float] = {}
        self._rang = place.now

    def go_on(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let so much time pass, or less where something has come true before."""
        end = self.place.now + seconds
        while self.place.now < end and not until():
            self._deliver()
            self._tasks()
            self.place.now += _MINUTE / 2
            if self.place.now - self._rang >= 5 * _MINUTE:
                self._rang = self.place.now
                self.place.look(0)

    def _deliver(self) -> None:
        for message in list(self.place.waiting()):
            delay = float(str(message.get("DelaySeconds", 0)))
            if self._due.setdefault(str(message["MessageId"]), self.place.now + delay) <= self.place.now:
                self.place.receive(message)

    def _tasks(self) -> None:
        for arn in self.place.cluster.alive():
            if self.mended:
                self.place.live(arn)
            else:
                self.place.cluster.stop(arn, "TaskFailedToStart", self._reason, "", None)
        self.place.tell_all()

    def states(self) -> Counter[RunState]:
        """Count the runs by their state."""
        return Counter(self.place.run(key).state for key in self.place.keys)

    def all_succeeded(self) -> bool:
        """Whether nothing is left to do."""
        return self.states() == {RunState.SUCCEEDED: RUNS}


def test_a_subnet_without_free_addresses_for_an_hour(place: Place) -> None:
    """Dozens of tasks stop before they begin; none counts, nothing is parked, and all runs finish soon afterwards."""
    outage = Outage(place, _NO_ADDRESS)
    for number in range(RUNS):
        place.fail(f"r-{number}")
    outage.go_on(_HOUR)
    assert outage.states() == {RunState.QUEUED: RUNS}
    assert all(_NO_ADDRESS in (run.reason or "") or run.unstarted == 0 for run in map(place.run, place.keys))
    assert RUNS < len(place.cluster.tasks) <= RUNS * 20, "pauses grow: nobody is flooded with calls"
    outage.mended = True
    outage.go_on(_HOUR, outage.all_succeeded)
    assert place.now - outage.began < _HOUR + 20 * _MINUTE
    assert {place.run(key).counted_attempts for key in place.keys} == {1}
    assert (PARKING in place.queues.sent, place.figures.counted["RunsParked"]) == (False, 0)
    assert set(place.executed.values()) == {1}


def test_a_role_that_is_broken_for_a_day(place: Place) -> None:
    """Each run is parked once, with the reason, and not tried again; mended and moved back, all finish."""
    outage = Outage(place, _BAD_ROLE)
    for number in range(RUNS):
        place.fail(f"r-{number}")
    outage.go_on(_HOUR)
    assert all(place.run(key).parked_at and _BAD_ROLE in (place.run(key).reason or "") for key in place.keys)
    tasks = len(place.cluster.tasks)
    assert tasks == RUNS * MOST_REFUSALS
    for _ in range(23):
        place.look(_HOUR)
    assert (len(place.cluster.tasks), place.waiting(), place.slots().held(place.name)) == (tasks, [], {})
    assert (len(place.queues.sent[PARKING]), place.figures.counted["RunsParked"]) == (RUNS, RUNS)
    outage.mended = True
    assert place.queues.move_back() == RUNS
    outage.go_on(_HOUR, outage.all_succeeded)
    assert outage.all_succeeded()
    assert {place.run(key).parked_at for key in place.keys} == {None}
    assert set(place.executed.values()) == {1}
    assert PARKING not in place.queues.sent
