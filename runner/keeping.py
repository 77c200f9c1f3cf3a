"""How long the end of a run is tried to be written down: for hours where need be, because days of work may be in it."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue

from overtime.contract.aws_errors import CONDITION_FAILED
from overtime.runner.aws import CallError, may_pass
from overtime.runner.errors import RunnerError
from overtime.runner.log import last_words
from overtime.runner.retrying import RetryBudget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from overtime.runner.config import Config
    from overtime.runner.messages import Message

_NEVER = frozenset({CONDITION_FAILED, "ValidationException"})
"""The ledger's own word, and what would be as wrong every time."""
_FIRST_WORD_SECONDS = 60.0


class Keeping:
    """Made when the run is claimed; `passes` and `budget` are for `retrying`, and begin with `begin`.

    What may pass by itself is tried for `result_patience_seconds`, but not beyond the end of `max_runtime`. What a
    person has to mend is tried for as long as the handler has worked, so that a short run says quickly what is missing.
    Both are tried for `patience_seconds` at least.
    """

    def __init__(
        self, config: Config, messages: SimpleQueue[Message], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config, self._messages, self._clock = config, messages, clock
        self._started = self._began = self._mend_until = clock()
        self._next_word = _FIRST_WORD_SECONDS
        self.budget = RetryBudget(0, sleep=self._pause, clock=clock)

    def begin(self) -> None:
        """Begin to count: the handler has ended."""
        config, self._began = self._config, self._clock()
        worked = self._began - self._started
        least, most = config.patience_seconds, config.result_patience_seconds
        self.budget.seconds = max(least, min(most, config.max_runtime_seconds - worked))
        self._mend_until = self._began + max(least, min(most, worked))

    def passes(self, error: Exception) -> bool:
        """Say whether to try again after this error; now and then, say in the log what is waited for."""
        if isinstance(error, CallError) and error.code in _NEVER:
            return False
        by_itself = may_pass(error) or (isinstance(error, RunnerError) and error.may_pass)
        by_a_person = isinstance(error, (CallError, RunnerError)) and self._clock() < self._mend_until
        if by_itself or by_a_person:
            self._tell(error)
        return by_itself or by_a_person

    def _tell(self, error: Exception) -> None:
        tried = self._clock() - self._began
        if tried < self._next_word:
            return
        self._next_word = 2 * tried
        text = " ".join(str(error).split())
        last_words(f"overtime: the run's end could not be written down for {tried:.0f} s, and is retried: {text}\n")

    def _pause(self, seconds: float) -> None:
        """Sleep; but once the task is to stop there are two minutes at most, so try again at once."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            try:
                if self._messages.get(timeout=left)[0] == "terminate":
                    return
            except Empty:
                return
