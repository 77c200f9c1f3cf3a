"""How long the end of a run is tried to be written down, and what is said meanwhile."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from overtime.runner.aws import CallError
from overtime.runner.config import Config
from overtime.runner.errors import PermissionMissingError, UnavailableError
from overtime.runner.keeping import Keeping
from overtime.runner.transport import Response, TransportError

if TYPE_CHECKING:
    from overtime.runner.messages import Message

HOUR, DAY = 3_600, 86_400


def answered(status: int, code: str) -> CallError:
    """Make an error that AWS answers with."""
    return CallError("s3:PutObject", Response(status, {}, bytearray(b'{"Code": "%s"}' % code.encode())))


DOWN = TransportError("down")
PASSES = [DOWN, answered(503, "SlowDown"), UnavailableError("no credentials")]
TO_MEND = [answered(404, "NoSuchBucket"), PermissionMissingError("not allowed")]
NEVER = [answered(400, "ConditionalCheckFailedException"), answered(400, "ValidationException"), KeyError("defect")]


class Run:
    """A run that has worked for so long, on a clock that the test sets."""

    def __init__(self, worked: float, max_runtime: int = 14 * DAY) -> None:
        self.now = 1_000.0
        self.messages: SimpleQueue[Message] = SimpleQueue()
        config = Config({})
        config.max_runtime_seconds = max_runtime
        self.keeping = Keeping(config, self.messages, clock=lambda: self.now)
        self.now += worked
        self.keeping.begin()


@pytest.mark.parametrize(
    ("worked", "max_runtime", "seconds"),
    [
        (10, 14 * DAY, DAY),
        (13 * DAY, 14 * DAY, DAY),
        (14 * DAY - 2 * HOUR, 14 * DAY, 2 * HOUR),
        (14 * DAY - 10, 14 * DAY, 300),
        (14 * DAY + 5, 14 * DAY, 300),
        (10, HOUR, HOUR - 10),
    ],
)
def test_what_may_pass_is_tried_for_a_day_within_max_runtime(worked: int, max_runtime: int, seconds: int) -> None:
    run = Run(worked, max_runtime)
    assert run.keeping.budget.seconds == seconds
    run.now += seconds + 1
    assert [run.keeping.passes(error) for error in PASSES] == [True] * 3


@pytest.mark.parametrize(("worked", "seconds"), [(1, 300), (2 * HOUR, 2 * HOUR), (6 * DAY, DAY)])
def test_what_a_person_has_to_mend_is_tried_for_as_long_as_was_worked(worked: int, seconds: int) -> None:
    run = Run(worked)
    run.now += seconds - 1
    assert [run.keeping.passes(error) for error in TO_MEND] == [True] * 2
    run.now += 2
    assert [run.keeping.passes(error) for error in TO_MEND] == [False] * 2


def test_the_ledgers_word_and_a_defect_are_final() -> None:
    assert [Run(DAY).keeping.passes(error) for error in NEVER] == [False] * 3


def test_what_is_waited_for_is_said_ever_more_rarely(capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(DAY)
    for _ in range(DAY // 15):
        run.now += 15
        assert run.keeping.passes(DOWN)
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "overtime: the run's outcome could not be recorded for 60 s; retrying: down"
    assert len(lines) == 11


def test_a_want_of_threads_for_the_log_does_not_end_the_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    run = Run(DAY)
    run.now += HOUR
    assert run.keeping.passes(DOWN)


def test_a_task_that_is_to_stop_tries_again_at_once() -> None:
    run = Run(DAY)
    run.messages.put(("idle", None))
    run.messages.put(("terminate", None))
    run.keeping.budget.sleep(HOUR)
    assert run.messages.empty()
