"""From how a run ended to state, exit code and error, in Lambda's words."""

from __future__ import annotations

import json
import resource
from typing import TYPE_CHECKING

import pytest

from overtime.runner.errors import CodeError, RunnerError, StoppedError
from overtime.runner.messages import Answer, Exit
from overtime.runner.outcome import outcome_of, outcome_of_error
from overtime.runner.process import out_of_memory_kills
from overtime.runner.report import Report
from overtime.runner.runtime_api import LARGEST_RESULT
from overtime.runner.supervise import Ending

if TYPE_CHECKING:
    from pathlib import Path


def ending(answer: Answer | None = None, *, code: int = 0, timed_out: bool = False, stopped: bool = False) -> Ending:
    """Make an ending."""
    made = Ending(0.0)
    made.answer, made.timed_out, made.stopped = answer, timed_out, stopped
    made.exit = Exit(code, resource.getrusage(resource.RUSAGE_SELF))
    return made


def decided(found: Ending, *, out_of_memory: bool = False) -> tuple[str, int, str | None, str | None]:
    """Decide, and return what people see of it."""
    outcome = outcome_of(found, request_id="id", run_seconds=2.5, out_of_memory=out_of_memory)
    return outcome.state.value, outcome.exit_code, outcome.error_type, outcome.reason


RETURNED = Answer("response", b"1", 1)
RAISED = Answer("error", b'{"errorType": "KeyError", "errorMessage": "x", "requestId": "id"}', 60)
TOO_LARGE = "Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes)."
DIED = "RequestId: id Error: Runtime exited with error: "


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ending(RETURNED), ("succeeded", 0, None, None)),
        (ending(RETURNED, code=-9), ("succeeded", 0, None, None)),
        (ending(RETURNED, stopped=True), ("succeeded", 0, None, None)),
        (ending(RAISED), ("failed", 1, "KeyError", "x")),
        (ending(RAISED, stopped=True), ("failed", 1, "KeyError", "x")),
        (ending(code=3), ("failed", 1, "Runtime.ExitError", f"{DIED}exit status 3")),
        (ending(code=-9), ("failed", 1, "Runtime.ExitError", f"{DIED}signal: killed")),
        (ending(code=-11), ("failed", 1, "Runtime.ExitError", f"{DIED}signal: segmentation fault")),
        (
            ending(code=-15, stopped=True),
            ("cancelled", 1, "Runtime.ExitError", f"{DIED}signal: terminated (the task was stopped: SIGTERM)"),
        ),
        (
            ending(code=-15, timed_out=True),
            ("timed_out", 1, "Sandbox.Timedout", "RequestId: id Error: Task timed out after 2.50 seconds"),
        ),
        (
            ending(code=-15, timed_out=True, stopped=True),
            ("timed_out", 1, "Sandbox.Timedout", "RequestId: id Error: Task timed out after 2.50 seconds"),
        ),
        (
            ending(Answer("error", b"", LARGEST_RESULT + 1)),
            (
                "failed",
                1,
                "Function.ResponseSizeTooLarge",
                TOO_LARGE,
            ),
        ),
        (ending(Answer("error", b"[]", 2)), ("failed", 1, "Runtime.Unknown", "[]")),
        (
            ending(Answer("error", b" no such customer\n", 9, "Shop.Error")),
            ("failed", 1, "Shop.Error", "no such customer"),
        ),
        (ending(Answer("init_error", b"{}", 9, "Runtime.NoSuch\tModule")), ("failed", 1, "Runtime.NoSuch Module", "")),
        (
            ending(Answer("error", b'{"errorType": "KeyError", "errorMessage": "x"}', 9, "Runtime.Other")),
            ("failed", 1, "KeyError", "x"),
        ),
        (
            ending(Answer("error", b"", 0, "Runtime.TruncatedResponse")),
            ("failed", 1, "Runtime.TruncatedResponse", "RequestId: id Error: the runtime described no error"),
        ),
        (ending(code=-6), ("failed", 1, "Runtime.ExitError", f"{DIED}signal: aborted")),
        (ending(code=137), ("failed", 1, "Runtime.ExitError", f"{DIED}exit status 137")),
    ],
)
def test_each_ending(found: Ending, expected: tuple[str, int, str | None, str | None]) -> None:
    assert decided(found) == expected


def test_a_process_that_the_kernel_killed_for_memory_was_out_of_memory() -> None:
    expected = "failed", 1, "Runtime.OutOfMemory", f"{DIED}signal: killed"
    assert decided(ending(code=-9), out_of_memory=True) == expected


def test_another_process_that_was_out_of_memory_does_not_explain_an_exit() -> None:
    assert decided(ending(code=3), out_of_memory=True)[2] == "Runtime.ExitError"


def test_the_runtimes_own_error_document_is_kept_byte_for_byte() -> None:
    body = b'{"errorMessage":"\xc3\xbc",   "errorType":"E","requestId":"id","stackTrace":["a"]}'
    assert (
        outcome_of(ending(Answer("error", body, 9)), request_id="id", run_seconds=1, out_of_memory=False).result == body
    )


def test_an_error_that_is_no_document_becomes_one() -> None:
    """A runtime written in a shell may send any text; nothing of it is logged."""
    found = ending(Answer("error", b"no such \xfc", 9, "Shop.Error"))
    outcome = outcome_of(found, request_id="id", run_seconds=1, out_of_memory=False)
    document = {"errorMessage": "no such \ufffd", "errorType": "Shop.Error", "requestId": "id", "stackTrace": []}
    assert (json.loads(outcome.result), outcome.fault) == (document, None)


def test_an_error_before_the_event_gets_the_requests_id() -> None:
    found = ending(Answer("init_error", b'{"errorType": "E", "requestId": ""}', 9))
    outcome = outcome_of(found, request_id="id", run_seconds=1, out_of_memory=False)
    assert json.loads(outcome.result) == {"errorType": "E", "requestId": "id"}


@pytest.mark.parametrize("request_id", ["", "id"])
def test_a_document_that_is_too_deep_for_a_parser_is_still_the_handlers_error(request_id: str) -> None:
    deep = "[" * 100_000 + '"]}{"' + "]" * 100_000
    body = f'{{"errorType": "E", "more": {deep}, "errorMessage": "a [b", "requestId": "{request_id}"}}'.encode()
    outcome = outcome_of(ending(Answer("error", body, 9)), request_id="id", run_seconds=1, out_of_memory=False)
    assert (outcome.error_type, outcome.reason, outcome.state) == ("E", "a [b", "failed")
    assert outcome.result == (body if request_id else body[:-1] + b', "requestId": "id"}')


@pytest.mark.parametrize(
    ("body", "error_type", "text"),
    [
        (rb'{"errorType": "E\ud800", "errorMessage": "\udfff"}', r"E\ud800", r"\udfff"),
        (b'{"errorType": "E\xff", "errorMessage": "x"}', "E\ufffd", "x"),
        (b'{"errorType": "E\\n\\tEND x", "errorMessage": "a\\nb"}', "E END x", "a\nb"),
        (b'{"errorType": ["E"], "errorMessage": 7}', "Unhandled", "7"),
        (b"{}", "Unhandled", ""),
    ],
)
def test_whatever_a_document_says_can_be_written_down(body: bytes, error_type: str, text: str) -> None:
    """Ledger and log take UTF-8 only, and the type is part of one line."""
    outcome = outcome_of(ending(Answer("init_error", body, 9)), request_id="id", run_seconds=1, out_of_memory=False)
    assert (outcome.error_type, outcome.reason) == (error_type, text)
    assert json.loads(outcome.result.decode("utf-8", "replace"))["requestId"] == "id"
    f"{outcome.error_type}{outcome.reason}".encode()


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [(CodeError("x"), "failed", 65), (RunnerError("x"), "failed", 70), (StoppedError("x"), "cancelled", 1)],
)
def test_a_handler_that_was_never_started(error: RunnerError, state: str, code: int) -> None:
    outcome = outcome_of_error(error, "id")
    document = {"errorMessage": "x", "errorType": error.error_type, "requestId": "id", "stackTrace": []}
    assert (outcome.state.value, outcome.exit_code, json.loads(outcome.result)) == (state, code, document)


@pytest.mark.parametrize(
    ("text", "kills"),
    [("low 0\noom 3\noom_kill 2\n", 2), ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1), ("", 0), ("rubbish", 0)],
)
def test_the_kernels_count_of_kills(tmp_path: Path, text: str, kills: int) -> None:
    (tmp_path / "memory.events").write_text(text)
    assert out_of_memory_kills((str(tmp_path / "absent"), str(tmp_path / "memory.events"))) == kills


def lines(found: Ending, log_format: str = "Text") -> str:
    """Write the lines behind the handler's."""
    outcome = outcome_of(found, request_id="id", run_seconds=1, out_of_memory=False)
    report = Report("id", "$LATEST", log_format=log_format)
    return report.end(0.0, outcome, duration=1.23456, init_duration=0.1, memory_mib=512, peak_mib=80)


def test_the_lines_around_a_success_are_lambdas() -> None:
    assert Report("id", "$LATEST", log_format="Text").start(0.0) == "START RequestId: id Version: $LATEST\n"
    assert lines(ending(RETURNED)) == (
        "END RequestId: id\n"
        "REPORT RequestId: id\tDuration: 1234.56 ms\tMemory Size: 512 MB\tMax Memory Used: 80 MB\t"
        "Init Duration: 100.00 ms\t\n"
    )


def test_a_death_that_the_runtime_could_not_report_is_said_before_the_end() -> None:
    found = lines(ending(code=3))
    assert found.splitlines()[0] == f"{DIED}exit status 3"
    assert found.endswith("\tStatus: error\tError Type: Runtime.ExitError\t\n")


def test_a_timeout_has_lambdas_status() -> None:
    assert lines(ending(timed_out=True)).endswith("\tStatus: timeout\t\n")


def test_in_the_json_format_the_lines_are_lambdas_platform_events() -> None:
    first = json.loads(Report("id", "7", log_format="JSON").start(0.0))
    assert first == {
        "time": "1970-01-01T00:00:00.000Z",
        "type": "platform.start",
        "record": {"requestId": "id", "version": "7"},
    }
    (last,) = map(json.loads, lines(ending(RETURNED), "JSON").splitlines())
    metrics = {"durationMs": 1234.56, "memorySizeMB": 512, "maxMemoryUsedMB": 80, "initDurationMs": 100.0}
    assert (last["type"], last["record"]) == (
        "platform.report",
        {"requestId": "id", "metrics": metrics, "status": "success"},
    )


@pytest.mark.parametrize(
    ("found", "status", "error_type"),
    [(ending(code=3), "error", "Runtime.ExitError"), (ending(timed_out=True), "timeout", None)],
)
def test_in_the_json_format_a_fault_is_an_error_line_of_its_own(
    found: Ending, status: str, error_type: str | None
) -> None:
    fault, report = map(json.loads, lines(found, "JSON").splitlines())
    assert (fault["level"], fault["requestId"]) == ("ERROR", "id")
    assert "Error: " in fault["errorMessage"]
    assert (report["record"]["status"], report["record"].get("errorType")) == (status, error_type)
