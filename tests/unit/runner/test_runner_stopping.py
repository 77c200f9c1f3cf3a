"""What ends a handler from outside: SIGTERM, and the end of its run time."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.doubles.runner_aws import REQUEST_ID
from tests.unit.runner.conftest import AT_MOST_SECONDS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.unit.runner.conftest import Ended, Task


def wait_for_line(process: subprocess.Popen[bytes], wanted: bytes) -> None:
    """Read a runner's output up to this line, which is then gone from it."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == wanted:
            return
    pytest.fail(f"the runner ended without a line {wanted!r}")


def held(arrived: threading.Event, go_on: threading.Event) -> Callable[[], object]:
    """Make a call to AWS wait."""

    def act() -> None:
        arrived.set()
        go_on.wait(AT_MOST_SECONDS)

    return act


def stopped(task: Task, handler: str, event: bytes = b"null", *, line: bytes = b"sleeping", **environ: str) -> Ended:
    """Run a handler, and send SIGTERM to the runner once the handler has written this line."""
    task.deploy(handler)
    task.standin.add_run(event)
    process = task.start(**environ)
    wait_for_line(process, line)
    process.send_signal(signal.SIGTERM)
    return task.ended(process)


def test_sigterm_reaches_the_handler_which_may_end_in_order(task: Task) -> None:
    ended = stopped(task, "behaviours.stoppable")
    assert (ended.code, ended.state, ended.result) == (0, "succeeded", "stopped in order")


def test_a_handler_that_sigterm_ends_was_cancelled(task: Task) -> None:
    ended = stopped(task, "behaviours.sleeps")
    assert (ended.code, ended.state) == (1, "cancelled")
    assert ended.error["errorMessage"] == (
        f"RequestId: {REQUEST_ID} Error: Runtime exited with error: signal: terminated (the task was stopped: SIGTERM)"
    )


def test_a_handler_that_does_not_mind_sigterm_is_killed_in_time(task: Task) -> None:
    ended = stopped(task, "behaviours.stubborn", OVERTIME_STOP_SECONDS="1")
    assert (ended.code, ended.state) == (1, "cancelled")
    assert "signal: killed (the task was stopped: SIGTERM)" in str(ended.error["errorMessage"])


def test_sigterm_while_the_code_is_fetched_ends_the_run_at_once(task: Task) -> None:
    task.deploy("behaviours.stubborn")
    task.standin.add_run(b"null")
    fetching, claimed, ended_first = threading.Event(), threading.Event(), threading.Event()
    task.standin.on_call = {
        "code:download": held(fetching, ended_first),
        "s3:GetObject": claimed.set,
    }
    process = task.start()
    assert fetching.wait(AT_MOST_SECONDS)
    assert claimed.wait(AT_MOST_SECONDS)
    process.send_signal(signal.SIGTERM)
    ended = task.ended(process)
    ended_first.set()
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "cancelled", "Overtime.Stopped")
    assert ended.errors == "overtime: the task was stopped (SIGTERM) before its handler started.\n"


def test_sigterm_while_the_result_is_written_changes_nothing(task: Task) -> None:
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    writing, signalled = threading.Event(), threading.Event()
    task.standin.on_call["s3:PutObject"] = held(writing, signalled)
    process = task.start()
    assert writing.wait(AT_MOST_SECONDS)
    process.send_signal(signal.SIGTERM)
    signalled.set()
    ended = task.ended(process)
    assert (ended.code, ended.state, ended.result) == (0, "succeeded", 1)


def test_the_end_of_max_runtime_ends_the_handler(task: Task) -> None:
    ended = task.run("behaviours.sleeps", None, OVERTIME_MAX_RUNTIME_SECONDS="1")
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "timed_out", "Sandbox.Timedout")
    text = f"RequestId: {REQUEST_ID} Error: Task timed out after 1.00 seconds"
    assert ended.error["errorMessage"] == text
    assert text in ended.output
    assert ended.report["Status"] == "timeout"


def test_an_answer_that_comes_after_max_runtime_does_not_count(task: Task) -> None:
    ended = task.run("behaviours.stoppable", None, OVERTIME_MAX_RUNTIME_SECONDS="1")
    assert (ended.code, ended.state) == (1, "timed_out")


def test_a_second_runner_finds_the_run_taken(task: Task) -> None:
    task.deploy("behaviours.stoppable")
    task.standin.add_run(b"null")
    first = task.start()
    wait_for_line(first, b"sleeping")
    second = task.ended(task.start())
    first.send_signal(signal.SIGTERM)
    assert (second.code, task.ended(first).code) == (2, 0)


def test_of_ten_runners_one_runs_the_handler(task: Task) -> None:
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    codes: list[int] = []
    processes = [task.start() for _ in range(10)]
    waiting = [
        threading.Thread(target=lambda process=process: codes.append(task.ended(process).code)) for process in processes
    ]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert sorted(codes) == [0, *[2] * 9]
