"""Holds the open runs of the ledger against the cluster, for events that never came and writers that died.

| the run is | and | it is |
|---|---|---|
| queued, or launching with no task named | due since 15 min, not parked | pointed at once more |
| likewise | waiting since 14 days | closed as `failed`: nobody moved the parked record, or no place was found |
| launching or running | its task has stopped | handled as the event would have been |
| likewise | ECS does not know its task, for 5 min | handled as a task that was lost |
| launching | its task is alive and has not claimed it for an hour | left, its task is stopped |
| finished | its task has stopped, is not known, or was never named | settled |
| finished | its task is alive after 10 min | left, its task is stopped |

Slots whose run is settled, at a newer attempt, gone or parked are given back after 15 min.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from lambdas.watcher.stopped_task import OUR_STOP, lost, read
from overtime.errors import OvertimeError
from overtime.ledger.model import RunKey, RunState, slots_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from lambdas.watcher.watch import Watcher
    from overtime.ledger.run import Run

_CHUNK = 100
_MINUTE = 60
_DUE, _UNKNOWN, _NEVER_CLAIMED, _ENDED = 15 * _MINUTE, 5 * _MINUTE, 60 * _MINUTE, 10 * _MINUTE
_LONGEST_WAIT = 14 * 24 * 60 * _MINUTE
_WAITED = (
    "waited 14 days for a task: either its record stayed on the parking queue, or ECS or the function's own limit had "
    "no place for it"
)


class ReconcileError(OvertimeError):
    """Some runs could not be looked after; the others were."""


def reconcile(watcher: Watcher, index: str | None, failed: Callable[[str, Exception], None]) -> int:
    """Go through all that is open and return how much that was; `failed` hears of each that could not be handled.

    Raises ReconcileError at the end where there were any.
    """
    looked_at, faults = 0, 0
    keys = watcher.ledger.open_keys(index)
    while chunk := list(islice(keys, _CHUNK)):
        looked_at += len(chunk)
        for key, error in _chunk(watcher, chunk):
            faults += 1
            failed(key, error)
    if faults:
        raise ReconcileError(
            f"{faults} of {looked_at} open runs could not be looked after; the log names each. Lambda tries again, and "
            "so does the next schedule."
        )
    return looked_at


def _chunk(watcher: Watcher, keys: list[str]) -> Iterator[tuple[str, Exception]]:
    runs: list[Run] = []
    for key in keys:
        try:
            function_name = slots_of(key)
            if function_name is not None:
                _slots(watcher, function_name)
            elif (run := watcher.ledger.get(RunKey.parse(key))) is not None and run.settled_at is None:
                runs.append(run)
        except OvertimeError as error:
            yield key, error
    arns = [run.task_arn for run in runs if run.task_arn is not None]
    try:
        tasks = watcher.tasks.describe(arns) if arns else {}
    except OvertimeError as error:
        yield from ((str(run.key), error) for run in runs)
        return
    for run in runs:
        try:
            _run(watcher, run, tasks)
        except OvertimeError as error:
            yield str(run.key), error


def _run(watcher: Watcher, run: Run, tasks: Mapping[str, Mapping[str, object]]) -> None:
    if run.task_arn is None:
        _without_task(watcher, run)
        return
    if run.state is RunState.RUNNING and run.started_at is not None:
        watcher.meter.seconds(run.key.function_name, "RunAge", _age(watcher, run.started_at))
    task = tasks.get(run.task_arn)
    stopped = read(task) if task is not None else None
    if stopped is not None and (stopped.key, stopped.attempt) == (run.key, run.attempt):
        watcher.stopped(stopped)
    elif task is None and _age(watcher, run.updated_at) > _UNKNOWN:
        watcher.stopped(lost(run.task_arn, run.key, run.attempt))
    elif task is not None and run.finished and _age(watcher, run.updated_at) > _ENDED:
        watcher.tasks.stop(run.task_arn, f"{OUR_STOP}its run has ended")
    elif task is not None and run.state is RunState.LAUNCHING and _age(watcher, run.updated_at) > _NEVER_CLAIMED:
        watcher.tasks.stop(run.task_arn, f"{OUR_STOP}it did not claim its run within an hour")


def _without_task(watcher: Watcher, run: Run) -> None:
    if run.finished:
        watcher.settle(run)
    elif _age(watcher, run.queued_at) > _LONGEST_WAIT:
        watcher.ledger.abandon(run.key, run.attempt, _WAITED, held_by=None, error_type="Overtime.NoCapacity")
    elif _is_overdue(watcher, run) and watcher.point(run, turn=run.turn + 1, delay=0):
        # A turn that is only on the queue is good, so a crash between the two writes loses nothing.
        reason = run.reason or "no record of it came"
        watcher.ledger.hold(run.key, run.attempt, turn=run.turn + 1, delay=0, reason=reason)


def _is_overdue(watcher: Watcher, run: Run) -> bool:
    due = max(run.updated_at, run.due_at or run.updated_at)
    return run.parked_at is None and _age(watcher, due) > _DUE


def _slots(watcher: Watcher, function_name: str) -> None:
    held = watcher.slots.held(function_name)
    for (key, attempt), taken in held.items():
        if watcher.clock() - taken / 1000 > _DUE and _is_free(watcher.ledger.get(key), attempt):
            watcher.slots.give_back(key, attempt, taken=taken)
    if not held:
        watcher.slots.close(function_name)


def _is_free(run: Run | None, attempt: int) -> bool:
    if run is None or run.settled_at is not None or run.attempt > attempt:
        return True
    return run.state is RunState.QUEUED and run.parked_at is not None


def _age(watcher: Watcher, since: datetime) -> float:
    return watcher.clock() - since.timestamp()
