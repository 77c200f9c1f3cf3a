"""The log is whole, an event is a line, and it decides nothing: neither what the handler does to it nor its reader."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING

import pytest

from overtime.runner.log import Log, pieces
from tests.doubles.runner_aws import REQUEST_ID
from tests.unit.runner.conftest import AT_MOST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.runner.conftest import Task

WAYS = ("close", "replace", "none", "redirect")
END = f"END RequestId: {REQUEST_ID}"


def test_a_record_of_more_than_one_line_is_one_event(task: Task) -> None:
    lines = task.run("outspoken.logs").output.split("\n")
    assert [line.split("\t")[-1] for line in lines if line.startswith("[")] == ["one\rtwo\r\rthree", "last"]


def test_an_error_with_its_trace_is_one_event(task: Task) -> None:
    [line] = [
        line for line in task.run("behaviours.raises").output.split("\n") if "LookupError" in line and "\r" in line
    ]
    assert line.startswith("[ERROR] LookupError: no such customer\rTraceback (most recent call last):\r")


def test_for_a_person_an_error_has_lines(task: Task) -> None:
    assert "[ERROR] LookupError: no such customer\nTraceback" in task.by_hand("1", "behaviours.raises").output


@pytest.mark.parametrize("way", WAYS)
def test_a_handler_that_does_away_with_stdout_may_succeed(task: Task, way: str) -> None:
    ended = task.run("outspoken.silences", way)
    assert (ended.code, ended.state, ended.result) == (0, "succeeded", way)
    assert END in ended.output.splitlines()


@pytest.mark.parametrize("way", WAYS)
def test_its_error_and_what_it_logs_are_not_lost(task: Task, way: str) -> None:
    ended = task.run("outspoken.silences_and_raises", way)
    assert (ended.code, ended.error["errorType"], ended.error["errorMessage"]) == (1, "LookupError", "no such customer")
    assert "\tstill logged\n" in ended.output
    assert "[ERROR] LookupError: no such customer\r" in ended.output


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_the_runners_lines_do_not_go_on_with_the_handlers(task: Task, log_format: str) -> None:
    task.deploy("outspoken.unfinished", LoggingConfig={"LogFormat": log_format, "LogGroup": "/aws/lambda/report"})
    lines = task.run().output.splitlines()
    assert lines[1] == "stdout goes on"
    if log_format == "JSON":
        assert [json.loads(line)["type"] for line in (lines[0], *lines[2:])] == ["platform.start", "platform.report"]
    else:
        assert [line.split(" ")[0] for line in lines[2:]] == ["END", "REPORT"]


def test_nor_does_the_first_with_what_an_import_left(task: Task) -> None:
    lines = task.run("unfinished_import.handler").output.splitlines()
    assert lines[:2] == ["importing...", f"START RequestId: {REQUEST_ID} Version: $LATEST"]


def test_nor_does_what_the_runner_has_to_say_last(task: Task) -> None:
    task.deploy("outspoken.unfinished")
    task.standin.faults["s3:PutObject"] = [(403, b"<Error><Code>AccessDenied</Code></Error>")]
    ended = task.run()
    assert ended.code == 66
    assert ended.errors.splitlines()[0] == "stderr goes on"
    assert ended.errors.splitlines()[1].startswith("overtime: ")


def test_nor_does_the_result_by_hand(task: Task) -> None:
    ended = task.by_hand("1", "outspoken.unfinished")
    assert ended.output == 'stdout goes on\n"done"\n'
    assert [line.split(" ")[0] for line in ended.errors.splitlines()] == ["START", "stderr", "END", "REPORT"]


def test_a_handler_that_does_not_wait_for_its_stdout_does_not_change_the_runners(task: Task) -> None:
    """The handler's descriptor is its own: what it writes may be cut short, what the runner writes is not."""
    ended = task.run("outspoken.blocks_not")
    assert (ended.code, ended.state) == (0, "succeeded")
    assert ended.report["Memory Size"] == "2048 MB"


def test_a_process_that_writes_for_ever_does_not_hold_up_the_end(task: Task) -> None:
    ended = task.run("outspoken.leaves_a_writer")
    assert (ended.code, ended.state, ended.output.splitlines()[-1][:6]) == (0, "succeeded", "REPORT")


def test_the_last_line_by_hand_is_the_result_whoever_still_writes(task: Task) -> None:
    assert task.by_hand("1", "outspoken.leaves_a_writer").output.splitlines()[-1] == '"done"'


def waiting(descriptor: int) -> int:
    """Return how many bytes a pipe contains."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_the_runners_lines_follow_all_that_the_handler_has_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what it has written while the log was stuck with as much as it reads at once."""
    reader, writer = os.pipe()
    monkeypatch.setattr("overtime.runner.log.STDOUT", writer)
    log = Log(writer, b"\r")
    out, *_ = log._sources
    stuck = bytes(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) - 1) + b"\n"
    for written in (stuck, stuck):  # the first fills the log, so the second waits
        os.write(log.stdout, written)
        wait_until(lambda: not waiting(out))
    os.write(log.stdout, b"the handler's\n")
    speaking = threading.Thread(target=log.say, args=("the runner's\n",))
    speaking.start()
    wait_until(lambda: waiting(log._wake) > 0)
    wanted, found = 2 * stuck + b"the handler's\nthe runner's\n", b""
    while len(found) < len(wanted):
        found += os.read(reader, len(wanted))
    speaking.join()
    log.close()
    assert found == wanted


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + AT_MOST_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_of_what_is_written_without_end_so_much_is_read() -> None:
    """Or the lines after it would never be written."""
    source = os.open("/dev/zero", os.O_RDONLY)
    assert sum(map(len, itertools.islice(pieces(source, 1 << 20), 1000))) == 1 << 20
    os.close(source)


def unread(why: str) -> tuple[int, int]:
    """Give the ends of a pipe that nobody reads any more, or whose reader is stuck."""
    read, write = os.pipe()
    if why == "gone":
        os.close(read)
        return os.open(os.devnull, os.O_RDONLY), write
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, why == "stuck")
    return read, write


@pytest.mark.parametrize(
    ("why", "handler"),
    [("gone", "app.handler"), ("gone", "behaviours.raises"), ("stuck", "app.handler"), ("not waiting", "app.handler")],
)
def test_a_log_that_cannot_be_written_decides_nothing(task: Task, why: str, handler: str) -> None:
    """The run ends as its handler did, its result is stored, and the exit code says so."""
    task.deploy(handler)
    task.standin.add_run(b"1")
    read, write = unread(why)
    process = task.start(write)
    code = process.wait(AT_MOST_SECONDS)
    os.close(read)
    os.close(write)
    expected = (0, "succeeded") if handler == "app.handler" else (1, "failed")
    assert (code, task.standin.run["state"]["S"], task.standin.result is None) == (*expected, False)


def test_a_log_that_does_not_wait_for_its_reader_is_whole(task: Task) -> None:
    """Whoever shares the container's stdout may have made it so."""
    task.deploy("behaviours.prints")
    task.standin.add_run(b'{"bytes": 2097152}')
    read, write = os.pipe()
    os.set_blocking(write, False)
    process = task.start(write)
    os.close(write)
    with open(read, encoding="utf-8") as reader:  # noqa: PTH123 -- a descriptor
        lines = reader.read().splitlines()
    assert process.wait(AT_MOST_SECONDS) == 0
    assert (lines.count("y" * 1023), lines[-2][:4], lines[-1][:7]) == (2048, "END ", "REPORT ")


def test_what_the_runner_complains_of_does_not_change_its_exit_code_either(task: Task) -> None:
    read, write = unread("gone")
    code = task.start(write, OVERTIME_RUN_KEY="").wait(AT_MOST_SECONDS)
    os.close(read)
    os.close(write)
    assert code == 64


def test_a_result_by_hand_that_nobody_reads_is_an_error(task: Task) -> None:
    """It is no log line: who asked for it has not got it."""
    ended = task.by_hand("1", "app.handler", OVERTIME_RESULT_FILE="/dev/full")
    assert ended.code == 70
    assert "the result could not be written to /dev/full: " in ended.errors
