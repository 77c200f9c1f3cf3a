"""Retries calls: for a limited time, at growing intervals, and only after errors that may be temporary."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Answer = TypeVar("Answer")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 15.0


class RetryBudget:
    """How long a call is retried, in seconds, and the clock that measures it."""

    def __init__(
        self,
        seconds: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds, self.sleep, self.clock = seconds, sleep, clock


def retrying(act: Callable[[], Answer], may_pass: Callable[[Exception], bool], budget: RetryBudget) -> Answer:
    """Return what `act` returns; raise its error if it is permanent, or if the budget is used up."""
    give_up = budget.clock() + budget.seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            return act()
        except Exception as error:
            # Half fixed, half random, so that tasks that failed together do not retry together.
            drawn = pause * (0.5 + int.from_bytes(os.urandom(2), "big") / 131_072)
            if not may_pass(error) or budget.clock() + drawn > give_up:
                raise
            budget.sleep(drawn)
            pause = min(pause * 2, _LONGEST_PAUSE)
