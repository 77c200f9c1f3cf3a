"""Trying again is bounded in time, and only where it may help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtime.runner.retrying import RetryBudget, retrying


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        self.sleeps.append(seconds)
        self.now += seconds

    def budget(self, seconds: float) -> RetryBudget:
        """Give a budget that this clock measures."""
        return RetryBudget(seconds, sleep=self.sleep, clock=lambda: self.now)


def failing(times: int, error: Exception) -> tuple[list[int], object]:
    calls: list[int] = []

    def act() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return calls, act


@given(st.floats(0, 3600))
def test_it_never_waits_longer_than_its_budget(seconds: float) -> None:
    clock = Clock()
    _, act = failing(1_000_000, OSError("down"))
    assert callable(act)
    with pytest.raises(OSError, match="down"):
        retrying(act, lambda _: True, clock.budget(seconds))
    assert clock.now <= seconds


@given(st.integers(0, 8))
def test_it_returns_what_the_first_success_returns(failures: int) -> None:
    clock = Clock()
    calls, act = failing(failures, OSError("down"))
    assert callable(act)
    assert (retrying(act, lambda _: True, clock.budget(3600)), len(calls)) == ("done", failures + 1)


def test_what_will_not_pass_is_not_tried_again() -> None:
    clock = Clock()
    calls, act = failing(1, ValueError("wrong"))
    assert callable(act)
    with pytest.raises(ValueError, match="wrong"):
        retrying(act, lambda error: isinstance(error, OSError), clock.budget(3600))
    assert (len(calls), clock.sleeps) == (1, [])


def test_pauses_grow_and_stay_below_a_quarter_of_a_minute() -> None:
    clock = Clock()
    _, act = failing(30, OSError("down"))
    assert callable(act)
    retrying(act, lambda _: True, clock.budget(3600))
    assert all(0.05 * 2**n <= pause <= 0.1 * 2**n for n, pause in enumerate(clock.sleeps[:7]))
    assert max(clock.sleeps) <= 15
