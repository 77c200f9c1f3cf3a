from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from local.demo.story import LogLine, Snapshot, Task, attempts, happenings, logged, over
from local.demo.table import table
from overtime.contract.runs import RunKey, RunState
from overtime.ledger.run import Run, Step

ID = "0c3e1b5a-1111-4222-8333-444455556666"
SHA = "ab" * 32


def log(stream: str, ended: float, milliseconds: int, *, timed_out: bool = False, left: int = 1990) -> list[LogLine]:
    """Make the lines of one execution; Lambda's stand at its end, as the emulator writes them."""
    said = {"sample": "started", "request_id": ID, "remaining_ms": left, "event_sha256": SHA}
    texts = [f"START RequestId: {ID} Version: $LATEST", json.dumps(said)]
    texts += ["Task timed out after 2.00 seconds"] if timed_out else []
    texts += [f"END RequestId: {ID}", f"REPORT RequestId: {ID}\tDuration: {milliseconds} ms\tMemory Size: 512 MB"]
    return [LogLine(stream=stream, at=ended, text=text) for text in texts]


def run_with(*states: tuple[RunState, float]) -> Run:
    """Make a run with this history."""

    def at(second: float) -> datetime:
        return datetime.fromtimestamp(second, tz=UTC)

    known: dict[str, Any] = dict.fromkeys(field.name for field in fields(Run))
    known |= {"key": RunKey("report", ID), "state": states[-1][0], "attempt": 1}
    steps = [Step(state=state, at=at(second), attempt=1, task_arn=None, reason=None) for state, second in states]
    return Run(**known | {"history": tuple(steps)})


def test_attempts_are_counted_apart_on_lambda_and_on_fargate_in_order_of_time() -> None:
    lines = (
        log("overtime/runner/1", 30.0, 6000)
        + log("2026/11/24/[$LATEST]b", 8.0, 2000, timed_out=True)
        + log("2026/11/24/[$LATEST]a", 3.0, 2000, timed_out=True)
    )
    found = attempts(Snapshot(log=lines))
    assert [(each.where, each.began, each.seconds, each.end) for each in found] == [
        ("Lambda attempt 1", 1.0, 2.0, "timed out"),
        ("Lambda attempt 2", 6.0, 2.0, "timed out"),
        ("Fargate task 1", 24.0, 6.0, "returned"),
    ]
    assert {each.event_sha256 for each in found} == {SHA}


def test_two_attempts_in_one_stream_are_two() -> None:
    stream = "2026/11/24/[$LATEST]a"
    lines = log(stream, 3.0, 2000, timed_out=True) + log(stream, 8.0, 2000, timed_out=True)
    assert [each.began for each in attempts(Snapshot(log=lines))] == [1.0, 6.0]


def test_an_execution_without_a_report_line_has_not_ended() -> None:
    assert attempts(Snapshot(log=log("overtime/runner/1", 30.0, 6000)[:-1])) == []


def test_the_story_is_told_in_order_of_time_from_log_ledger_and_task() -> None:
    lines = log("2026/11/24/[$LATEST]a", 3.0, 2000, timed_out=True) + log(
        "overtime/runner/1", 10.0, 3000, left=86_400_000
    )
    run = run_with(
        (RunState.QUEUED, 4.0), (RunState.LAUNCHING, 5.0), (RunState.RUNNING, 7.0), (RunState.SUCCEEDED, 11.0)
    )
    told = happenings(Snapshot(log=lines, run=run, task=Task(started_at=6.0, stopped_at=12.0, exit_code=0)))
    assert [(each.at, each.text) for each in told] == [
        (3.0, "Lambda attempt 1: timed out after 2.0 s"),
        (4.0, "dispatcher: failure record read, event and run written to the ledger"),
        (5.0, "dispatcher: ecs:RunTask"),
        (6.0, "Fargate: container started"),
        (7.0, "runner: run claimed"),
        (10.0, "handler in the container: started, 1.0 days left on its clock"),
        (11.0, "ledger: succeeded"),
        (12.0, "Fargate: container ended, exit code 0"),
    ]


def test_the_story_is_over_with_the_run_and_its_task() -> None:
    stopped = Task(started_at=6.0, stopped_at=12.0, exit_code=0)
    running = Task(started_at=6.0, stopped_at=None, exit_code=None)
    run = run_with((RunState.QUEUED, 4.0), (RunState.RUNNING, 7.0))
    ended = run_with((RunState.SUCCEEDED, 11.0))
    assert [over(Snapshot(run=each, task=stopped)) for each in (None, run, ended)] == [False, False, True]
    assert [over(Snapshot(run=ended, task=each)) for each in (running, stopped, None)] == [False, True, True]


def test_the_logs_last_lines_may_come_after_the_tasks_end() -> None:
    """The log driver works on its own; without its REPORT line an execution is not in the table."""
    task = Task(started_at=6.0, stopped_at=12.0, exit_code=0)
    lines = log("overtime/runner/1", 10.0, 3000)
    assert not logged(Snapshot(log=lines[:-1], task=task))
    assert not logged(Snapshot(log=log("2026/11/24/[$LATEST]a", 3.0, 2000), task=task))
    assert logged(Snapshot(log=lines, task=task))
    assert logged(Snapshot(log=lines[:-1], task=None))


def test_a_line_of_braces_that_is_no_json_is_no_news() -> None:
    line = LogLine(stream="overtime/runner/1", at=1.0, text="{not json")
    assert happenings(Snapshot(log=(line,))) == []


def test_a_table_is_as_wide_as_its_widest_cells() -> None:
    assert table(("a", "b"), [("long", "x")]) == "a     b\n----  -\nlong  x"
