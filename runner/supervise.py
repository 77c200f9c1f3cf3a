"""Supervises the handler's process until it has answered or ended."""

from __future__ import annotations

import signal
import time
from queue import Empty, SimpleQueue

from overtime.runner.messages import Answer, Exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from overtime.runner.messages import Message
    from overtime.runner.process import Child

KILL_SECONDS = 5.0
"""Between SIGTERM and SIGKILL after a timeout; Lambda itself sends no SIGTERM."""
GONE_SECONDS = 5.0
"""How long a process may take to end after SIGKILL, which a hanging disk can delay; then it is left behind."""
LOOK_SECONDS = 5.0
"""How often the process is checked, because the thread that waits for its end may have failed."""
_SETTLE_SECONDS = 1.0
"""How long the runtime may take, after its answer, to ask for the next event."""


class Ending:
    """How the handler ended. Times are in seconds of the monotonic clock."""

    def __init__(self, began: float) -> None:
        self.answer: Answer | None = None
        self.exit: Exit | None = None
        self.timed_out = False
        self.stopped = False
        self.released = self.began = began
        self.ended = began
        self.handed_out = False

    @property
    def duration(self) -> float:
        """Seconds from the event to the answer, or to the end if there was none."""
        return self.ended - self.began

    @property
    def init_duration(self) -> float:
        """Seconds from the start of the runtime to its first request for an event."""
        return self.began - self.released


def supervise(
    child: Child,
    messages: SimpleQueue[Message],
    *,
    run_seconds: float,
    stop_seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Ending:
    """Return how the handler ended, after killing all processes of its group.

    The first answer counts. After `run_seconds`, the group gets SIGTERM and is then killed; if the task is stopped, it
    is killed after `stop_seconds`. A process that does not end even then is left behind, so the run can be closed.
    """
    ending = Ending(clock())
    limit, told, killed = ending.released + run_seconds, False, False
    while ending.exit is None and ending.answer is None:
        message = _next(child, messages, limit, clock)
        if message is None and killed:
            break
        if message is None:
            ending.timed_out = ending.timed_out or not told
            child.signal(signal.SIGKILL if told else signal.SIGTERM)
            limit = clock() + (GONE_SECONDS if told else KILL_SECONDS)
            told, killed = True, told
            continue
        kind, value = message
        if kind == "begun":
            ending.began, ending.handed_out = clock(), True
        elif kind == "terminate" and not ending.stopped and not killed:
            ending.stopped = told = True
            child.signal(signal.SIGTERM)
            limit = clock() + (KILL_SECONDS if ending.timed_out else stop_seconds)
        elif isinstance(value, Answer):
            if ending.timed_out:  # too late: the answer does not count
                limit = clock()
            else:
                ending.answer = value
        elif isinstance(value, Exit):
            ending.exit = value
    ending.ended = clock()
    _end(child, messages, ending, clock)
    return ending


def _end(child: Child, messages: SimpleQueue[Message], ending: Ending, clock: Callable[[], float]) -> None:
    """Let the runtime finish after its answer, then kill the group, where Lambda would freeze it."""
    settled = clock() + _SETTLE_SECONDS
    while ending.exit is None and (message := _next(child, messages, settled, clock)) is not None:
        kind, value = message
        if isinstance(value, Exit):
            ending.exit = value
        elif kind == "idle":
            break
    child.signal(signal.SIGKILL)
    gone = clock() + GONE_SECONDS
    while ending.exit is None and (message := _next(child, messages, gone, clock)) is not None:
        ending.exit = message[1] if isinstance(message[1], Exit) else None


def _next(child: Child, messages: SimpleQueue[Message], limit: float, clock: Callable[[], float]) -> Message | None:
    """Return the next message, or None if there is none until `limit`."""
    while True:
        left = limit - clock()
        try:
            return messages.get(timeout=max(0.0, min(left, LOOK_SECONDS)))
        except Empty:
            ended = child.ended()
        if ended is not None:
            try:
                return messages.get_nowait()  # an answer takes precedence over the process's end
            except Empty:
                return "exit", ended
        if left <= LOOK_SECONDS and clock() >= limit:
            return None
