"""Compares all open runs with the cluster, because events may be lost and programs may crash between two writes.

| the run is | and | the watcher |
|---|---|---|
| queued, or launching without a task | has waited, or been parked, for 14 days | closes it as `failed` |
| likewise, not parked | overdue by 15 min; its tasks could not start for a permanent reason | parks it |
| likewise | overdue by 15 min; its record was found on the parking queue | records it as parked |
| likewise | overdue by 15 min; a record of this attempt may never have been sent | sends a pointer record |
| likewise | overdue by 6 hours | sends another pointer record |
| launching or running | its task has stopped | does what the event would have caused |
| likewise | ECS does not know its task, for 5 min | treats the task as lost |
| likewise | its task's ARN is malformed, for 14 days | likewise |
| launching | its task is alive, but has not claimed it for an hour | stops the task |
| finished | its task has stopped or is unknown, or it has none | settles it |
| finished | its task is alive after 10 min | stops the task |

A record that was sent is not sent again for hours: the dispatchers may only be behind, and if they do not catch up, a
second record would be parked beside the first.

The watcher releases a slot after 15 min if its run is settled, deleted, parked or at a newer attempt. It skips an item
that the ledger would not have written, and counts it as a metric; other items are not affected.

ECS cannot describe a task by something that is not a task's ARN, such as a host's name. Such a task may be running, so
no other one is started until it must have ended. If its run is finished, there is no need to wait.

Unfinished runs come first, because notifying destinations may take long: each run of a destination that rejects records
costs a call. The order is random in each round, so if time runs out, it is not always the same runs that are left.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from overtime.contract import metrics
from overtime.contract.error_types import PlatformError
from overtime.contract.limits import LONGEST_RUN_SECONDS
from overtime.contract.runs import InvalidRunKeyError, RunKey, RunState, slots_key, slots_of
from overtime.lambdas.watcher.gauges import Gauges
from overtime.lambdas.watcher.stopped_task import NEVER_CLAIMED, RUN_ENDED, lost, read
from overtime.lambdas.watcher.tasks import is_task_arn
from overtime.lambdas.watcher.verdict import LONGEST_WAIT, MOST_REFUSALS
from overtime.ledger.answers import Moved
from overtime.ledger.run import UnreadableItemError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from overtime.lambdas.watcher.parking import Parking
    from overtime.lambdas.watcher.tasks import Described
    from overtime.lambdas.watcher.watch import Watcher
    from overtime.ledger.run import Run

_CHUNK = 100
_MINUTE = 60
_DUE, _UNKNOWN, _NEVER_CLAIMED, _ENDED = 15 * _MINUTE, 5 * _MINUTE, 60 * _MINUTE, 10 * _MINUTE
_GONE = 6 * 60 * _MINUTE
"""Until then, a record that was sent is assumed to be on a queue; later, it was deleted or lost."""
_LONGEST_TASK = LONGEST_RUN_SECONDS + 60 * _MINUTE
"""A task lives for `max_runtime`, at most 14 days, and a few minutes until it has stopped."""
_RESERVE_SECONDS = _MINUTE
"""No run is started with less time left, because its calls are retried and each may be slow."""
_WAITED = (
    "waited 14 days for a task: its record stayed on the parking queue, or all slots of the function were occupied, "
    "or ECS had no capacity, or its tasks could not start"
)


@dataclass(frozen=True)
class Reconciled:
    """The result of a round."""

    looked_at: int
    left: int
    """Open runs and slot items for which there was no time."""
    faults: int = 0
    """Those that were processed, but raised an error."""


def reconcile(
    watcher: Watcher,
    index: str | None,
    failed: Callable[[str, Exception], None],
    *,
    remaining: Callable[[], float] = lambda: math.inf,
) -> Reconciled:
    """Process all open runs and slots as far as time allows; `failed` is called for each that raises an error.

    `remaining` returns the seconds left. An error of one run is not an error of the round, because the next round comes
    in five minutes anyway.
    """
    keys = list(watcher.ledger.open_keys(index))
    random.shuffle(keys)
    turn = _Turn(watcher, failed, remaining, left=set(keys))
    turn.look()
    try:
        turn.go_through(keys)
    finally:  # even if ECS does not describe the tasks, because these metrics do not depend on it
        turn.gauges.write(watcher.meter)
    turn.go_through(turn.finished, settle=True)
    return Reconciled(len(keys) - len(turn.left), len(turn.left), turn.faults)


@dataclass
class _Turn:
    """One round."""

    watcher: Watcher
    failed: Callable[[str, Exception], None]
    remaining: Callable[[], float]
    left: set[str]
    """The keys that have not been processed."""
    finished: list[str] = field(default_factory=list)
    """The keys of finished runs, which are settled last."""
    faults: int = 0
    gauges: Gauges = field(default_factory=Gauges)

    def __post_init__(self) -> None:
        """Create the parking queues' scans, one for the whole round."""
        self.parking = self.watcher.parking()

    def look(self) -> None:
        """Scan the parking queues, before the runs whose records may be there."""
        for name in self.watcher.functions:
            if self._is_over():
                return
            try:
                self.parking.look(name, self.watcher.clock())
            except Exception as error:  # noqa: BLE001 -- no error of a queue may keep the runs from being processed
                self.faults += 1
                self.failed(name, error)

    def go_through(self, keys: Sequence[str], *, settle: bool = False) -> None:
        """Process these, a hundred at a time; finished runs only if `settle`, otherwise count and collect them."""
        for start in range(0, len(keys), _CHUNK):
            self._chunk(keys[start : start + _CHUNK], settle=settle)

    def _chunk(self, keys: Sequence[str], *, settle: bool) -> None:
        runs = []
        for key in keys:
            if self._is_over():
                return
            try:
                run = self._read(key)
            except (UnreadableItemError, InvalidRunKeyError) as error:
                self._unreadable(key, error)
                continue
            except Exception as error:  # noqa: BLE001 -- no error of one item may keep others from being processed
                self._fault(key, error)
                continue
            if run is not None and run.finished and not settle:
                self._count(run)
                self.finished.append(key)
            elif run is not None:
                self.gauges.add(run, self.watcher.clock())
                runs.append(run)
            else:
                self.left.discard(key)
        tasks = self.watcher.tasks.describe([run.task_arn for run in runs if run.task_arn is not None])
        for run in runs:
            if self._is_over():
                return
            try:
                _run(self.watcher, run, tasks, self.parking)
            except Exception as error:  # noqa: BLE001 -- likewise
                self._fault(str(run.key), error)
            self.left.discard(str(run.key))

    def _read(self, key: str) -> Run | None:
        """Return an open run, or None; a slot item is processed at once."""
        function_name = slots_of(key)
        if function_name is not None:
            _slots(self.watcher, function_name)
            return None
        run = self.watcher.ledger.get(RunKey.parse(key))
        return run if run is not None and run.settled_at is None else None

    def _count(self, run: Run) -> None:
        """Count the end of a run, long before it is settled; not `cancelled`, which may still be reopened."""
        if run.state is RunState.CANCELLED:
            return
        try:
            self.watcher.count(run)
        except Exception as error:  # noqa: BLE001 -- likewise
            self.failed(str(run.key), error)  # `settle` retries it

    def _unreadable(self, key: str, error: Exception) -> None:
        """Skip an item that the ledger would not have written, and count it; it is not a fault of the round."""
        self.watcher.meter.measure(key.partition("/")[0] or "unknown", metrics.ITEMS_UNREADABLE)
        self.left.discard(key)
        self.failed(key, error)

    def _fault(self, key: str, error: Exception) -> None:
        self.faults += 1
        self.left.discard(key)
        self.failed(key, error)

    def _is_over(self) -> bool:
        return self.remaining() < _RESERVE_SECONDS


def _run(watcher: Watcher, run: Run, tasks: Described, parking: Parking) -> None:
    if run.task_arn is None:
        _without_task(watcher, run, parking)
        return
    task = tasks.task_of(run.key, run.attempt, run.task_arn)
    unknown = _UNKNOWN if run.finished or is_task_arn(run.task_arn) else _LONGEST_TASK
    stopped = read(task) if task is not None else None
    if stopped is not None:
        watcher.on_stopped(stopped)
    elif task is None and _age(watcher, run.updated_at) > unknown:
        watcher.on_stopped(lost(run.task_arn, run.key, run.attempt))
    elif task is not None and run.finished and _age(watcher, run.updated_at) > _ENDED:
        watcher.tasks.stop(task, run.key, run.attempt, RUN_ENDED)
    elif task is not None and run.state is RunState.LAUNCHING and _age(watcher, run.updated_at) > _NEVER_CLAIMED:
        watcher.tasks.stop(task, run.key, run.attempt, NEVER_CLAIMED)


def _without_task(watcher: Watcher, run: Run, parking: Parking) -> None:
    if run.finished:
        watcher.settle(run)
    elif _age(watcher, run.waits_since) > LONGEST_WAIT:
        ended = watcher.ledger.abandon(
            run.key, run.attempt, _WAITED, held_by=None, error_type=PlatformError.NO_CAPACITY
        )
        if isinstance(ended, Moved):
            watcher.noted(f"run {ended.run.state}", ended.run, ended.run.error_type)
    elif run.parked_at is None and _overdue(watcher, run) > _DUE:
        if run.refusals >= MOST_REFUSALS:
            parking.park(run)
        elif not parking.find(run) and _may_be_lost(watcher, run):
            watcher.point(run, delay=0)


def _overdue(watcher: Watcher, run: Run) -> float:
    return _age(watcher, max(run.updated_at, run.due_at or run.updated_at))


def _may_be_lost(watcher: Watcher, run: Run) -> bool:
    """Return whether the record may be lost: a relaunch may have crashed before sending it, or it is hours overdue."""
    return (run.attempt > 1 and run.turn == 0) or _overdue(watcher, run) > _GONE


def _slots(watcher: Watcher, function_name: str) -> None:
    held = watcher.slots.held(function_name)
    unreadable = watcher.slots.forget_unreadable(function_name)
    if unreadable:
        watcher.meter.measure(function_name, metrics.ITEMS_UNREADABLE, unreadable)
        watcher.failed(
            slots_key(function_name),
            UnreadableItemError(
                f"{unreadable} of the slots of the function {function_name!r} could not be read and were removed, "
                "because no dispatcher has written them. The function's own role, or a person, must have done so."
            ),
        )
    for (key, attempt), taken in held.items():
        age = watcher.clock() - taken / 1000
        if age > _DUE and _is_free(watcher, key, attempt, age=age):
            watcher.slots.give_back(key, attempt, taken=taken)
    if not held:
        watcher.slots.close(function_name)


def _is_free(watcher: Watcher, key: RunKey, attempt: int, *, age: float) -> bool:
    try:
        run = watcher.ledger.get(key)
    except UnreadableItemError:
        return age > _LONGEST_TASK  # by then its task has ended, whatever the state of the run
    if run is None or run.settled_at is not None or run.attempt > attempt:
        return True
    return run.task_arn is None and run.parked_at is not None


def _age(watcher: Watcher, since: datetime) -> float:
    return watcher.clock() - since.timestamp()
