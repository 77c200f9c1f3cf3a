# ruff: noqa: D102 -- a rule is named by the operation that it tries
from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from overtime.ledger.model import TRANSITIONS, RunKey, RunState
from overtime.ledger.requests import ENDS
from overtime.ledger.run import Failure
from overtime.ledger.store import Moved

if TYPE_CHECKING:
    from overtime.ledger.run import Run
    from overtime.ledger.store import Refused, RunLedger

# Whose attempt a writer believes in, seen from the run's own: mostly right, sometimes older or too new.
OFF, TASKS = st.sampled_from([0, 0, 0, -1, 1]), st.sampled_from(["task-a", "task-b"])
_names = itertools.count()


class Interleaved(RuleBasedStateMachine):
    """One run, and everybody who may write it, each as often and as late as they like."""

    ledger: ClassVar[RunLedger]

    @initialize()
    def record(self) -> None:
        self.key = RunKey("report", f"r-{next(_names)}")
        self.claims: dict[int, str] = {}
        self.ends: list[RunState] = []
        self.ledger.record(self.key, b"{}", failure=Failure(form="dead_letter"), runs_days=30)
        self.run = self.read()

    def read(self) -> Run:
        run = self.ledger.get(self.key)
        assert run is not None
        return run

    def took(self, answer: Moved | Refused) -> bool:
        """Note the change, and check that the table allows it."""
        before, self.run = self.run, self.read()
        if isinstance(answer, Moved):
            assert self.run.state == before.state or self.run.state in TRANSITIONS[before.state]
            if self.run.finished:
                self.ends.append(self.run.state)
            return True
        assert self.run == before
        return False

    @rule()
    def duplicate_record(self) -> None:
        self.ledger.record(self.key, b"[]", failure=Failure(form="destination"), runs_days=1)
        assert self.read() == self.run

    @rule(off=OFF)
    def launching(self, off: int) -> None:
        self.took(self.ledger.launching(self.key, self.run.attempt + off))

    @rule(off=OFF, task=TASKS)
    def launched(self, off: int, task: str) -> None:
        self.took(self.ledger.launched(self.key, self.run.attempt + off, f"{task}-{self.run.attempt + off}"))

    @rule(off=OFF)
    def release(self, off: int) -> None:
        self.took(self.ledger.release(self.key, self.run.attempt + off, "RESOURCE:MEMORY"))

    @rule(off=OFF)
    def note(self, off: int) -> None:
        self.took(self.ledger.note(self.key, self.run.attempt + off, "no answer"))

    @rule(off=OFF, task=TASKS)
    def claim(self, off: int, task: str) -> None:
        if self.took(self.ledger.claim(self.key, self.run.attempt + off, f"{task}-{self.run.attempt + off}", task)):
            assert self.run.attempt not in self.claims
            self.claims[self.run.attempt] = f"{task}-{self.run.attempt}"

    @rule(off=OFF, task=TASKS, state=st.sampled_from(sorted(ENDS)))
    def finish(self, off: int, task: str, state: RunState) -> None:
        if self.took(self.ledger.finish(self.key, self.run.attempt + off, f"{task}-{self.run.attempt + off}", state)):
            assert off == 0
            assert self.claims[self.run.attempt] == f"{task}-{self.run.attempt}"
            assert self.run.attempt == max(self.claims)

    @rule(off=OFF)
    def abandon(self, off: int) -> None:
        self.took(self.ledger.abandon(self.key, self.run.attempt + off, "image not found"))

    @rule(off=OFF)
    def relaunch(self, off: int) -> None:
        self.took(self.ledger.relaunch(self.key, self.run.attempt + off, "Spot took the host"))

    @rule(off=OFF)
    def cancel(self, off: int) -> None:
        self.took(self.ledger.cancel(self.key, self.run.attempt + off, "by hand"))

    @invariant()
    def ends_once(self) -> None:
        assert len(self.ends) <= 1


def test_no_order_of_events_breaks_a_run(ledger: RunLedger) -> None:
    """Deliveries, tasks, relaunches and cancels in any order and number: one claim an attempt, one end."""
    Interleaved.ledger = ledger
    run_state_machine_as_test(
        Interleaved,
        settings=settings(
            max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.parametrize("state", RunState)
def test_the_word_of_a_state_is_what_people_read(state: RunState) -> None:
    """States print as their bare words in logs, tables and JSON."""
    assert f"{state}" == state.value
