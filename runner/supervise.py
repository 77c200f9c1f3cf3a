"""Watching over the handler's process until there is one answer, or none to come."""

from __future__ import annotations

import signal
import time
from queue import Empty, SimpleQueue

from runner.process import Child, Exit
from runner.runtime_api import Answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, TypeAlias

    Happening: TypeAlias = (
        tuple[Literal["fetched", "begun", "idle", "terminate"], None]
        | tuple[Literal["answer"], Answer]
        | tuple[Literal["exit"], Exit]
    )
    """What threads and signals tell: the code is in place, the event was handed out, the runtime asked for another, the
    task is to stop; the runtime's answer; the process's end."""

KILL_SECONDS = 5.0
"""Between SIGTERM and SIGKILL at the end of the run time; Lambda itself gives none."""
_KILL_AGAIN_SECONDS = 86_400
"""After SIGKILL only the process's end is waited for, which a hanging disk can delay; so rarely is it sent again."""
_SETTLE_SECONDS = 1.0
"""How long the runtime may take, after its answer, to ask for the next event."""


class Ending:
    """How the handler's run ended. Times are in seconds by the monotonic clock."""

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
        """Seconds from the event to the answer, or to the end that came instead."""
        return self.ended - self.began

    @property
    def init_duration(self) -> float:
        """Seconds from the start of the runtime to its first request for an event."""
        return self.began - self.released


def supervise(
    child: Child,
    happenings: SimpleQueue[Happening],
    *,
    run_seconds: float,
    stop_seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Ending:
    """Return how it ended, with no process of the handler's left.

    The first answer counts. At the end of `run_seconds`, and on SIGTERM after `stop_seconds`, the group is killed.
    """
    ending = Ending(clock())
    give_up, kill = ending.released + run_seconds, None
    while ending.exit is None and ending.answer is None:
        try:
            limit = give_up if kill is None else kill
            kind, value = happenings.get(timeout=max(0.0, limit - clock()))
        except Empty:
            if clock() < limit:
                continue
            if kill is not None:
                child.signal(signal.SIGKILL)
                kill = clock() + _KILL_AGAIN_SECONDS
            else:
                ending.timed_out = True
                child.signal(signal.SIGTERM)
                kill = clock() + KILL_SECONDS
            continue
        if kind == "begun":
            ending.began, ending.handed_out = clock(), True
        elif kind == "terminate" and not ending.stopped:
            ending.stopped = True
            child.signal(signal.SIGTERM)
            kill = clock() + (KILL_SECONDS if ending.timed_out else stop_seconds)
        elif isinstance(value, Answer):
            if ending.timed_out:  # it has had its time; nothing that it says counts any more
                child.signal(signal.SIGKILL)
            else:
                ending.answer = value
        elif isinstance(value, Exit):
            ending.exit = value
    ending.ended = clock()
    _end(child, happenings, ending, clock)
    return ending


def _end(child: Child, happenings: SimpleQueue[Happening], ending: Ending, clock: Callable[[], float]) -> None:
    """Let the runtime finish what follows its answer, then end the group, as Lambda freezes it."""
    settled = clock() + _SETTLE_SECONDS
    while ending.exit is None and clock() < settled:
        try:
            kind, value = happenings.get(timeout=max(0.0, settled - clock()))
        except Empty:
            break
        if isinstance(value, Exit):
            ending.exit = value
        elif kind == "idle":
            break
    child.signal(signal.SIGKILL)
    while ending.exit is None:
        _, value = happenings.get()
        ending.exit = value if isinstance(value, Exit) else None
