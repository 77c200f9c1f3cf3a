"""What the runner does when, in simulated time."""

from __future__ import annotations

import signal
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import pytest

from overtime.runner.messages import Answer, Exit
from overtime.runner.process import Child
from overtime.runner.supervise import supervise

if TYPE_CHECKING:
    from overtime.runner.messages import Message
    from overtime.runner.supervise import Ending

ANSWER: Message = ("answer", Answer("response", b"1", 1))
NEVER = 1_000.0


class Simulation(Child):
    """A process that ends at a given time and a queue of messages that come at given times; waiting takes no time."""

    def __init__(self, *messages: tuple[float, Message], ends_at: float = NEVER) -> None:
        super().__init__(0)
        self.now, self._messages, self._ends_at = 0.0, list(messages), ends_at
        self.signals: list[tuple[float, int]] = []
        """The signals that it got, and when."""

    def signal(self, number: int) -> None:
        """Take a signal, without effect."""
        self.signals.append((self.now, number))

    def ended(self) -> Exit | None:
        """Return the exit, which no message tells of."""
        return Exit(1) if self.now >= self._ends_at else None

    def supervised(self, *, run_seconds: float = NEVER, stop_seconds: float = NEVER) -> Ending:
        """Let the runner supervise it."""
        queue = Queue(self)
        return supervise(self, queue, run_seconds=run_seconds, stop_seconds=stop_seconds, clock=lambda: self.now)

    def next(self, timeout: float) -> Message:
        """Return the message that comes first, at its time."""
        if not self._messages or self._messages[0][0] > self.now + timeout:
            self.now += timeout
            raise Empty
        self.now, message = self._messages.pop(0)
        return message


class Queue(SimpleQueue["Message"]):
    """The queue of a simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def get(self, block: bool = True, timeout: float | None = None) -> Message:  # noqa: ARG002, FBT001, FBT002 -- the queue's
        """Wait for a message in simulated time."""
        assert timeout is not None
        return self._simulation.next(timeout)

    def get_nowait(self) -> Message:
        """Return a message that is there."""
        return self._simulation.next(0)


def test_the_end_of_the_run_time_gives_the_handler_five_seconds() -> None:
    """A process that outlives SIGKILL, too, is left behind after five more."""
    process = Simulation()
    ending = process.supervised(run_seconds=60)
    assert process.signals[:2] == [(60, signal.SIGTERM), (65, signal.SIGKILL)]
    assert (ending.timed_out, ending.stopped, ending.ended) == (True, False, 70)


def test_sigterm_gives_the_handler_the_stop_time() -> None:
    process = Simulation((10, ("terminate", None)))
    ending = process.supervised(stop_seconds=50)
    assert process.signals[:2] == [(10, signal.SIGTERM), (60, signal.SIGKILL)]
    assert (ending.timed_out, ending.stopped, ending.ended) == (False, True, 65)


def test_sigterm_after_the_run_time_leaves_the_five_seconds() -> None:
    """What is left of the stop time is for writing down how the run ended."""
    process = Simulation((62, ("terminate", None)))
    process.supervised(run_seconds=60, stop_seconds=50)
    assert process.signals[:3] == [(60, signal.SIGTERM), (62, signal.SIGTERM), (67, signal.SIGKILL)]


def test_a_second_sigterm_changes_nothing() -> None:
    process = Simulation((10, ("terminate", None)), (20, ("terminate", None)))
    process.supervised(stop_seconds=50)
    assert process.signals[:2] == [(10, signal.SIGTERM), (60, signal.SIGKILL)]


def test_an_end_that_no_message_tells_of_is_seen_within_five_seconds() -> None:
    ending = Simulation(ends_at=12).supervised()
    assert (ending.exit is not None, ending.ended) == (True, 15)


def test_a_process_is_ended_a_second_after_its_answer_unless_it_asks_for_the_next_event() -> None:
    silent, asking = Simulation((10, ANSWER)), Simulation((10, ANSWER), (10.5, ("idle", None)))
    for process in (silent, asking):
        assert process.supervised().ended == 10
    assert (silent.signals, asking.signals) == ([(11, signal.SIGKILL)], [(10.5, signal.SIGKILL)])


@pytest.mark.parametrize(("at", "counts"), [(59, True), (60, True), (61, False)])
def test_an_answer_counts_until_the_run_time_is_over(at: float, *, counts: bool) -> None:
    ending = Simulation((at, ANSWER)).supervised(run_seconds=60)
    assert (ending.answer is not None, ending.timed_out) == (counts, not counts)


def test_an_answer_after_the_run_time_ends_the_five_seconds() -> None:
    process = Simulation((61, ANSWER))
    process.supervised(run_seconds=60)
    assert process.signals[:2] == [(60, signal.SIGTERM), (61, signal.SIGKILL)]
