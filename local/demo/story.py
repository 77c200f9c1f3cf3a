"""What happened to one invocation, told from its log, its ledger item and its task. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from overtime.ledger.run import Run, Step

TASK_STREAMS = "overtime/"
_DURATION = re.compile(r"\tDuration: ([\d.]+) ms")
_STATES = {
    "queued": "dispatcher: failure record read, event and run written to the ledger",
    "launching": "dispatcher: ecs:RunTask",
    "running": "runner: run claimed",
}


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One event of the function's log group; Lambda's streams and the task's are in the same group."""

    stream: str
    at: float
    """Seconds since the epoch."""
    text: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """What ECS says of the task."""

    started_at: float | None
    stopped_at: float | None
    exit_code: int | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that can be seen of the invocation at one moment."""

    log: Sequence[LogLine] = ()
    run: Run | None = None
    task: Task | None = None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One execution of the handler, in Lambda or in a container."""

    where: str
    began: float
    seconds: float
    end: str
    event_sha256: str | None
    """As the handler itself saw its event."""
    remaining_ms: int | None
    """What the context told the handler it had left when it began."""
    on_lambda: bool


@dataclass(frozen=True, order=True)
class Happening:
    """One line of the story."""

    at: float
    text: str


def attempts(seen: Snapshot) -> list[Attempt]:
    """List the handler's executions that have ended, in order."""
    found = [attempt for lines in _streams(seen.log).values() if (attempt := _attempt(lines)) is not None]
    found.sort(key=lambda each: each.began)
    numbers = {True: 0, False: 0}
    told = []
    for each in found:
        numbers[each.on_lambda] += 1
        place = "Lambda attempt" if each.on_lambda else "Fargate task"
        told.append(replace(each, where=f"{place} {numbers[each.on_lambda]}"))
    return told


def happenings(seen: Snapshot) -> list[Happening]:
    """Tell everything seen so far, in order of time; a later snapshot tells the same and more."""
    told = [
        Happening(each.began + each.seconds, f"{each.where}: {each.end} after {each.seconds:.1f} s")
        for each in attempts(seen)
        if each.on_lambda
    ]
    if seen.run is not None:
        told += [_step(step) for step in seen.run.history]
    if seen.task is not None:
        told += _task(seen.task, seen.run)
    told += [happening for line in seen.log if line.stream.startswith(TASK_STREAMS) for happening in _handler(line)]
    return sorted(told)


def over(seen: Snapshot) -> bool:
    """Check whether the run has ended, and its task if it has one."""
    return seen.run is not None and seen.run.finished and (seen.task is None or bool(seen.task.stopped_at))


def logged(seen: Snapshot) -> bool:
    """Check whether the log has the end of the task's execution, which may arrive after the task has stopped."""
    return seen.task is None or any(not each.on_lambda for each in attempts(seen))


def _streams(log: Sequence[LogLine]) -> dict[str, list[LogLine]]:
    """Part the log by invocation; a stream holds several where Lambda used an environment again."""
    parts: dict[str, list[LogLine]] = {}
    numbers: dict[str, int] = {}
    for line in log:
        if line.text.startswith("START "):
            numbers[line.stream] = numbers.get(line.stream, 0) + 1
        parts.setdefault(f"{line.stream}#{numbers.get(line.stream, 0)}", []).append(line)
    return parts


def _attempt(lines: Sequence[LogLine]) -> Attempt | None:
    report = next((line for line in lines if line.text.startswith("REPORT ")), None)
    duration = _DURATION.search(report.text) if report else None
    if report is None or duration is None:
        return None
    seconds = float(duration[1]) / 1000
    first = next((said for line in lines if (said := _said(line)).get("sample") == "started"), {})
    timed_out = any("Task timed out after" in line.text for line in lines)
    failed = "Status: error" in report.text or "[ERROR]" in "".join(line.text for line in lines)
    sha256, remaining = first.get("event_sha256"), first.get("remaining_ms")
    return Attempt(
        where="",
        began=report.at - seconds,
        seconds=seconds,
        end="timed out" if timed_out else "failed" if failed else "returned",
        event_sha256=sha256 if isinstance(sha256, str) else None,
        remaining_ms=remaining if isinstance(remaining, int) else None,
        on_lambda=not report.stream.startswith(TASK_STREAMS),
    )


def _step(step: Step) -> Happening:
    text = _STATES.get(step.state, f"ledger: {step.state}")
    if step.state == "launching" and step.task_arn:
        text = f"dispatcher: ECS has started task {step.task_arn.rpartition('/')[2]}"
    return Happening(step.at.timestamp(), text + (f" ({step.reason})" if step.reason else ""))


def _task(task: Task, run: Run | None) -> Iterator[Happening]:
    if task.started_at:
        yield Happening(task.started_at, "Fargate: container started")
    if task.stopped_at:
        # ECS may tell whole seconds; the container cannot have ended before the runner's last word.
        last = run.finished_at.timestamp() if run is not None and run.finished_at else 0
        yield Happening(max(task.stopped_at, last), f"Fargate: container ended, exit code {task.exit_code}")


def _handler(line: LogLine) -> Iterator[Happening]:
    said = _said(line)
    match said.get("sample"):
        case "started":
            left = said.get("remaining_ms")
            days = left / 86_400_000 if isinstance(left, int) else 0
            yield Happening(line.at, f"handler in the container: started, {days:.1f} days left on its clock")
        case "progress" | "finished" as what:
            yield Happening(line.at, f"handler in the container: {what}, {said.get('rows'):,} rows")


def _said(line: LogLine) -> dict[str, object]:
    """Read a line that the sample function logged; nothing for any other line."""
    if not line.text.startswith("{"):
        return {}
    try:
        said = json.loads(line.text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
