"""What could keep the runner waiting for ever: a process that cannot be ended, or a thread that should have told."""

from __future__ import annotations

import os
import resource
import signal
import socket
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from overtime.runner.aws import Aws
from overtime.runner.config import Config, FunctionName
from overtime.runner.credentials import CredentialSource
from overtime.runner.fetch import CodeFetch
from overtime.runner.function import Function
from overtime.runner.messages import Answer, Exit
from overtime.runner.outcome import outcome_of
from overtime.runner.process import Child
from overtime.runner.retrying import RetryBudget
from overtime.runner.runtime_api import NextInvocation, RuntimeApi
from overtime.runner.supervise import supervise
from tests.doubles.runner_aws import FUNCTION_ARN
from tests.unit.runner.conftest import AT_MOST_SECONDS, assert_gone
from tests.unit.runner.test_runner_stopping import held, stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from overtime.runner.messages import Message
    from overtime.runner.supervise import Ending
    from tests.unit.runner.conftest import Task

GROUPS = ["escapes.into_another_group", "escapes.into_the_runners_group"]


@pytest.mark.parametrize("handler", GROUPS)
def test_a_handler_that_left_its_group_and_returned_is_ended(task: Task, handler: str) -> None:
    ended = task.run(handler, {"returns": True})
    assert (ended.code, ended.state) == (0, "succeeded")
    assert isinstance(ended.result, int)
    assert_gone(ended.result)
    assert ended.report["Max Memory Used"] != "0 MB", "its end was not seen"


@pytest.mark.parametrize("handler", GROUPS)
def test_a_handler_that_left_its_group_is_killed_at_the_end_of_max_runtime(task: Task, handler: str) -> None:
    ended = task.run(handler, {"returns": False}, OVERTIME_MAX_RUNTIME_SECONDS="1")
    assert (ended.code, ended.state) == (1, "timed_out")


def test_a_handler_that_left_its_group_is_told_to_stop_and_killed_in_time(task: Task) -> None:
    ended = stopped(task, "escapes.into_another_group", b'{"returns": false}', OVERTIME_STOP_SECONDS="1")
    assert (ended.code, ended.state) == (1, "cancelled")


def test_a_handler_that_is_stopped_is_killed_in_time(task: Task) -> None:
    """A stopped process hears no SIGTERM."""
    ended = stopped(task, "escapes.stops_itself", line=b"stopping", OVERTIME_STOP_SECONDS="1")
    assert (ended.code, ended.state) == (1, "cancelled")


def test_a_daemon_that_keeps_the_output_open_does_not_keep_the_runner(task: Task) -> None:
    task.deploy("escapes.leaves_a_daemon")
    task.standin.add_run(b"null")
    process = task.start()
    assert process.wait(AT_MOST_SECONDS) == 0
    assert task.standin.result is not None
    os.kill(int(task.standin.result), signal.SIGKILL)
    assert task.ended(process).state == "succeeded"


def test_a_runner_whose_parent_ignores_the_end_of_children_hears_of_it_all_the_same(task: Task) -> None:
    """The disposition is inherited, and under it the kernel keeps nothing that could be waited for."""
    task.deploy("behaviours.exits")
    task.standin.add_run(b"null")
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        process = task.start()
    finally:
        signal.signal(signal.SIGCHLD, before)
    ended = task.ended(process)
    assert (ended.code, ended.state) == (1, "failed")
    assert str(ended.error["errorMessage"]).endswith("exit status 3")


def test_the_result_is_kept_before_the_logs_last_lines_are_written(task: Task) -> None:
    """Nobody knows how long a log takes."""
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    storing, killed = threading.Event(), threading.Event()
    task.standin.on_call["s3:PutObject"] = held(storing, killed)
    process = task.start()
    assert storing.wait(AT_MOST_SECONDS)
    process.kill()
    killed.set()
    output = task.ended(process).output
    assert output.startswith("START ")
    assert "END " not in output


def started(*command: str) -> Child:
    """Start a process in a group of its own."""
    return Child(os.posix_spawnp(command[0], command, os.environ, setpgroup=0))


def test_an_end_that_somebody_else_has_collected_is_told() -> None:
    child = started("sh", "-c", "exit 3")
    os.waitpid(child.pid, 0)
    messages: SimpleQueue[Message] = SimpleQueue()
    child.watch(messages)
    kind, value = messages.get(timeout=AT_MOST_SECONDS)
    assert isinstance(value, Exit)
    assert (kind, value.code, value.peak_mib) == ("exit", 0, 0)


def no_thread(_: threading.Thread) -> None:
    """Start none: a handler may have taken every thread that the container has."""
    raise RuntimeError("can't start new thread")


def test_an_end_that_no_thread_waits_for_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overtime.runner.supervise.LOOK_SECONDS", 0.01)
    messages: SimpleQueue[Message] = SimpleQueue()
    child = started("sh", "-c", "exit 3")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        child.watch(messages)
    ending = supervise(child, messages, run_seconds=AT_MOST_SECONDS, stop_seconds=1)
    assert ending.exit is not None
    assert (ending.exit.code, ending.timed_out) == (3, False)


class Undying(Child):
    """A process whose end does not come, as where it hangs in a disk's driver."""

    def __init__(self) -> None:
        super().__init__(0)
        self.signals: list[int] = []

    def signal(self, number: int) -> None:
        """Write down what it was told."""
        self.signals.append(number)

    def ended(self) -> Exit | None:
        """Tell that it has not."""
        return None


@pytest.fixture
def undying(monkeypatch: pytest.MonkeyPatch) -> Undying:
    for name in ("GONE_SECONDS", "KILL_SECONDS", "_SETTLE_SECONDS"):
        monkeypatch.setattr(f"overtime.runner.supervise.{name}", 0.01)
    return Undying()


def outcome(ending: Ending) -> tuple[str, str | None]:
    decided = outcome_of(ending, request_id="id", run_seconds=1, out_of_memory=False)
    return decided.state.value, decided.reason


def test_an_answer_counts_whether_or_not_its_process_ends(undying: Undying) -> None:
    messages: SimpleQueue[Message] = SimpleQueue()
    messages.put(("answer", Answer("response", b"1", 1)))
    ending = supervise(undying, messages, run_seconds=AT_MOST_SECONDS, stop_seconds=1)
    assert (outcome(ending), undying.signals) == (("succeeded", None), [signal.SIGKILL])


def test_a_process_that_outlives_sigkill_is_left_behind_at_the_end_of_max_runtime(undying: Undying) -> None:
    ending = supervise(undying, SimpleQueue(), run_seconds=0, stop_seconds=1)
    assert outcome(ending)[0] == "timed_out"
    assert undying.signals[:2] == [signal.SIGTERM, signal.SIGKILL]


def test_a_process_that_outlives_sigkill_is_left_behind_when_the_task_is_to_stop(undying: Undying) -> None:
    messages: SimpleQueue[Message] = SimpleQueue()
    messages.put(("terminate", None))
    ending = supervise(undying, messages, run_seconds=AT_MOST_SECONDS, stop_seconds=0)
    state, reason = outcome(ending)
    assert state == "cancelled"
    assert "signal: killed (the task was stopped: SIGTERM)" in str(reason)


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    made = RuntimeApi(NextInvocation("id-1", b"{}", {}), SimpleQueue(), lambda: None)
    yield made
    made.close()


def asked(client: socket.socket) -> bytes:
    """Ask for the event; return the answer's first line."""
    client.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n")
    with client.makefile("rb") as reader:
        return reader.readline()


class Told(threading.Event):
    """An event that tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = threading.Event()
        self.timeout: float | None = None

    def wait(self, timeout: float | None = None) -> bool:
        """Tell, and wait."""
        self.timeout = timeout
        self.waited.set()
        return super().wait(timeout)


def test_a_want_of_descriptors_that_passes_leaves_the_runtime_api_open(api: RuntimeApi) -> None:
    host, _, port = api.address.partition(":")
    api._closed = told = Told()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as client:
        client.settimeout(AT_MOST_SECONDS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
        try:
            client.connect((host, int(port)))
            assert told.waited.wait(AT_MOST_SECONDS)
            assert told.timeout == 0.1, "it would keep a processor busy"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert asked(client) == b"HTTP/1.1 200 OK\r\n"


def test_a_want_of_threads_leaves_the_runtime_api_open(api: RuntimeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    host, _, port = api.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=AT_MOST_SECONDS) as client:
        assert asked(client) == b"HTTP/1.1 200 OK\r\n"


class Mute(SimpleQueue["Message"]):
    """A queue that takes nothing, as where memory has run out."""

    def put(self, *_: object, **__: object) -> None:
        """Refuse."""
        raise MemoryError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fetching_thread_that_cannot_tell_its_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overtime.runner.fetch._LOOK_SECONDS", 0.01)
    fetched = Function("report")
    monkeypatch.setattr("overtime.runner.fetch.fetch", lambda *_: fetched)
    aws = Aws(region="eu-west-1", endpoint=None, credentials=CredentialSource({}, RetryBudget(0)))
    fetch = CodeFetch(aws, Config({}), FunctionName(FUNCTION_ARN), Mute())
    fetch.start()
    assert fetch.finished() is fetched
