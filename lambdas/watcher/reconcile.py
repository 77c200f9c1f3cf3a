"""Holds the open runs of the ledger against the cluster, for events that never came and writers that died.

| the run is | and | it is |
|---|---|---|
| queued, or launching with no task named | waiting, or parked, since 14 days | closed as `failed` |
| likewise, not parked | due since 15 min; its tasks could not start for a reason that lasts | parked |
| likewise | due since 15 min; its record was seen on the parking queue | parked in the ledger, too |
| likewise | due since 15 min; no record of this attempt was surely sent | pointed at |
| likewise | due since 6 hours | pointed at once more |
| launching or running | its task has stopped | handled as the event would have been |
| likewise | ECS does not know its task, for 5 min | handled as a task that was lost |
| likewise | ECS cannot be asked about its task, for 14 days | likewise |
| launching | its task is alive and has not claimed it for an hour | left, its task is stopped |
| finished | its task has stopped, is not known, or was never named | settled |
| finished | its task is alive after 10 min | left, its task is stopped |

A record that is on its way is not sent again for hours. The dispatchers may only be behind, and a second record would
be parked beside the first where they stay so.

Slots whose run is settled, at a newer attempt, gone or parked are given back after 15 min. An item that the ledger
would not have written is passed over: it costs itself and a metric, and never the others.

What cannot be a task's ARN, such as a host's name, ECS cannot be asked about. Whether such a task goes on is not known,
so no second one is started before the first must have ended; once its run is finished there is nothing to wait for.

Runs that have not finished come first, for telling owners may take long: a destination that takes nothing costs each of
its runs a try. The order is drawn anew each time, so where time runs out the same runs are not left every time.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from overtime.contract import metrics
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
"""A record that was sent is somewhere, unless a person took it away or SQS lost it."""
_LONGEST_TASK = (14 * 24 + 1) * 60 * _MINUTE
"""A task lives for `max_runtime`, 14 days at most, and then some minutes until it is stopped."""
_RESERVE_SECONDS = _MINUTE
"""No run is begun with less time left: its calls are repeated, and each may wait."""
_WAITED = (
    "waited 14 days for a task: its record stayed on the parking queue, or there was no slot in the function's own "
    "limit, or no capacity in ECS, or its tasks could not start"
)


@dataclass(frozen=True)
class Reconciled:
    """How far the watcher came."""

    looked_at: int
    left: int
    """What there was no time for."""
    faults: int = 0
    """What was looked at and could not be looked after."""


def reconcile(
    watcher: Watcher,
    index: str | None,
    failed: Callable[[str, Exception], None],
    *,
    remaining: Callable[[], float] = lambda: math.inf,
) -> Reconciled:
    """Go through all that is open, as far as the time goes; `failed` hears of each that could not be handled.

    `remaining` tells how many seconds are left. One that could not be handled is no error of the round, which is made
    again in five minutes whatever happens.
    """
    keys = list(watcher.ledger.open_keys(index))
    random.shuffle(keys)
    turn = _Turn(watcher, failed, remaining, left=set(keys))
    turn.look()
    try:
        turn.go_through(keys)
    finally:  # also where ECS cannot be asked about tasks: how long runs wait and work is known without it
        turn.gauges.write(watcher.meter)
    turn.go_through(turn.finished, settle=True)
    return Reconciled(len(keys) - len(turn.left), len(turn.left), turn.faults)


@dataclass
class _Turn:
    """One time through all that is open."""

    watcher: Watcher
    failed: Callable[[str, Exception], None]
    remaining: Callable[[], float]
    left: set[str]
    """The keys that have not been looked at."""
    finished: list[str] = field(default_factory=list)
    """The keys of the runs that are only to be settled, for later."""
    faults: int = 0
    gauges: Gauges = field(default_factory=Gauges)

    def __post_init__(self) -> None:
        """Look through each parking queue at most once."""
        self.parking = self.watcher.parking()

    def look(self) -> None:
        """See what SQS has parked, first: the runs are then held against it."""
        for name in self.watcher.functions:
            if self._is_over():
                return
            try:
                self.parking.look(name, self.watcher.clock())
            except Exception as error:  # noqa: BLE001 -- whatever one queue causes, the runs are looked after
                self.faults += 1
                self.failed(name, error)

    def go_through(self, keys: Sequence[str], *, settle: bool = False) -> None:
        """Look after these, a hundred at a time; runs that have finished only if they are to be settled now."""
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
            except Exception as error:  # noqa: BLE001 -- whatever one item causes, the others are looked after
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
        """Read a run that is open; a function's slots are looked after at once."""
        function_name = slots_of(key)
        if function_name is not None:
            _slots(self.watcher, function_name)
            return None
        run = self.watcher.ledger.get(RunKey.parse(key))
        return run if run is not None and run.settled_at is None else None

    def _count(self, run: Run) -> None:
        """Count an end that stays, long before the owner's turn comes; `cancelled` may still be taken back."""
        if run.state is RunState.CANCELLED:
            return
        try:
            self.watcher.count(run)
        except Exception as error:  # noqa: BLE001 -- likewise
            self.failed(str(run.key), error)  # settling tries again

    def _unreadable(self, key: str, error: Exception) -> None:
        """Pass over what the ledger would not have written: it costs itself and a metric, and is no fault of ours."""
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
        ended = watcher.ledger.abandon(run.key, run.attempt, _WAITED, held_by=None, error_type="Overtime.NoCapacity")
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
    """Tell whether the record may not be on its way: the watcher died after a relaunch, or it is hours too late."""
    return (run.attempt > 1 and run.turn == 0) or _overdue(watcher, run) > _GONE


def _slots(watcher: Watcher, function_name: str) -> None:
    held = watcher.slots.held(function_name)
    unreadable = watcher.slots.forget_unreadable(function_name)
    if unreadable:
        watcher.meter.measure(function_name, metrics.ITEMS_UNREADABLE, unreadable)
        watcher.failed(
            slots_key(function_name),
            UnreadableItemError(
                f"{unreadable} of the slots that the function {function_name!r} holds were not written by a dispatcher "
                "and are no task's, so they were freed. The function's own role, or a person, must have written them."
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
        return age > _LONGEST_TASK  # whatever became of the run, its task has ended by then
    if run is None or run.settled_at is not None or run.attempt > attempt:
        return True
    return run.task_arn is None and run.parked_at is not None


def _age(watcher: Watcher, since: datetime) -> float:
    return watcher.clock() - since.timestamp()
