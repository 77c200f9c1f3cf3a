"""How long recording the outcome is retried: for hours if necessary, because it may represent days of work."""

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
"""Never retried: the ledger's refusal, and a request that would be rejected every time."""
_FIRST_WORD_SECONDS = 60.0


class Keeping:
    """Created when the run is claimed; `passes` and `budget` are for `retrying`, after `begin`.

    Errors that may be temporary are retried for `result_patience_seconds`, but not beyond `max_runtime`. Errors that
    need an operator are retried for as long as the handler ran, so that a short run reports quickly what is missing.
    Both are retried for at least `patience_seconds`.
    """

    def __init__(
        self, config: Config, messages: SimpleQueue[Message], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config, self._messages, self._clock = config, messages, clock
        self._started = self._began = self._mend_until = clock()
        self._next_word = _FIRST_WORD_SECONDS
        self.budget = RetryBudget(0, sleep=self._pause, clock=clock)

    def begin(self) -> None:
        """Start the clock, because the handler has ended."""
        config, self._began = self._config, self._clock()
        worked = self._began - self._started
        least, most = config.patience_seconds, config.result_patience_seconds
        self.budget.seconds = max(least, min(most, config.max_runtime_seconds - worked))
        self._mend_until = self._began + max(least, min(most, worked))

    def passes(self, error: Exception) -> bool:
        """Return whether to retry after this error; at growing intervals, also log the error."""
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
        last_words(f"overtime: the run's outcome could not be recorded for {tried:.0f} s; retrying: {text}\n")

    def _pause(self, seconds: float) -> None:
        """Sleep, but return at once if the task is stopped, because at most two minutes are then left."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            try:
                if self._messages.get(timeout=left)[0] == "terminate":
                    return
            except Empty:
                return
