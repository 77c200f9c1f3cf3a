"""Handles one stopped task: ends or relaunches its run, or leaves it as it is.

    stopped ─► run closed or relaunched in the ledger ─► slot released ─► pointer record, or destination notified
                                                                                           └► settled

If no further task would help, the pointer record is sent to the parking queue instead.

All steps may be repeated. An event that is duplicated, late or out of order changes nothing if the run is at a newer
attempt, has another task, or is settled. After a crash, `reconcile` completes the remaining steps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overtime.contract import metrics
from overtime.contract.functions_table import FunctionSettings
from overtime.contract.runs import RunState
from overtime.errors import OvertimeError
from overtime.lambdas.watcher import ends
from overtime.lambdas.watcher.owners import Owners
from overtime.lambdas.watcher.parking import Parking
from overtime.lambdas.watcher.stopped_task import Fault, StoppedTask, classify, read
from overtime.lambdas.watcher.verdict import MOST_REFUSALS, Close, backoff, decide
from overtime.ledger import pointers
from overtime.ledger.answers import Moved
from overtime.ledger.pointers import Pointer
from overtime.ledger.run import UnreadableItemError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_sqs import SQSClient

    from overtime.contract.runs import RunKey
    from overtime.lambdas.watcher.destinations import Destinations
    from overtime.lambdas.watcher.meter import Meter
    from overtime.lambdas.watcher.stopped_task import Cause
    from overtime.lambdas.watcher.tasks import Tasks
    from overtime.lambdas.watcher.verdict import Relaunch
    from overtime.ledger.answers import Refused
    from overtime.ledger.looks import Looks
    from overtime.ledger.run import Run
    from overtime.ledger.slots import Slots
    from overtime.ledger.store import RunLedger

_MOST_LOOKS = 5
"""How often a run that keeps changing is read again."""


class UnsettledError(OvertimeError):
    """A run kept changing while its stopped task was handled; the next round handles it again."""


@dataclass(frozen=True, kw_only=True)
class Watcher:
    """Monitors the runs of a stack's functions; the same event may be handled any number of times."""

    functions: Mapping[str, FunctionSettings]
    ledger: RunLedger
    slots: Slots
    looks: Looks
    tasks: Tasks
    sqs: SQSClient
    destinations: Destinations
    meter: Meter
    failed: Callable[[str, Exception], None]
    """Called for each run that raised an error, or whose destination could not be notified; a later round retries."""
    noted: Callable[[str, Run, str | None], None]
    """Called for each run that is relaunched, parked or ended here, with the change, the changed run, an error type."""
    clock: Callable[[], float] = time.time

    def on_event(self, detail: Mapping[str, object]) -> RunKey | None:
        """Handle the `detail` of an ECS Task State Change; return the run's key, or None if there is nothing to do."""
        stopped = read(detail)
        if stopped is None:
            return None
        if stopped.lacks_exit_code:
            stopped = read(self.tasks.describe([stopped.arn]).task(stopped.arn) or {}) or stopped
        try:
            self.on_stopped(stopped)
        except UnreadableItemError:
            # The task has stopped, even if its run's item is unreadable.
            self.slots.give_back(stopped.key, stopped.attempt)
            self.meter.measure(stopped.key.function_name, metrics.ITEMS_UNREADABLE)
            raise
        return stopped.key

    def on_stopped(self, task: StoppedTask) -> None:
        """Close, relaunch or settle the run of a stopped task. Raise UnsettledError if the run keeps changing."""
        cause = classify(task)
        for _ in range(_MOST_LOOKS):
            run = self.ledger.get(task.key)
            if run is None or run.attempt != task.attempt:
                self._late(task, run)
                return
            if run.task_arn not in {None, task.arn}:
                return  # another task has the run and its slot
            changed = self._reopened(run, task, cause) if run.finished else self._ended(run, task, cause)
            if changed is None:
                self.slots.give_back(run.key, run.attempt)
                self.settle(run)
                return
            if isinstance(changed, Moved):
                self.noted(f"task stopped, run {changed.run.state}", changed.run, cause.error_type)
                self._follow(task, changed.run)
                return
        raise UnsettledError(
            f"the run {task.key} changed {_MOST_LOOKS} times while the watcher handled its stopped task {task.arn}. "
            "The next round, within five minutes, handles it again."
        )

    def count(self, run: Run) -> None:
        """Count a run's end, once however often it is processed, and whether or not its destination can be notified.

        The ledger stores that it was counted; `relaunch` and `revive` remove this from a run that continues.
        """
        if run.state not in ends.ENDED or run.counted_at is not None:
            return
        counted = self.ledger.count(run.key, run.attempt)
        if isinstance(counted, Moved):  # its current state, because it may have been reopened and ended differently
            ends.measure(counted.run, self.meter)

    def settle(self, run: Run) -> None:
        """Count a finished run's end, notify its destination, and record that.

        It is not an error if the destination rejects the record: that is counted, and the next round sends it again.
        """
        if run.settled_at is not None:
            return
        self.count(run)
        owners = Owners(
            functions=self.functions,
            ledger=self.ledger,
            destinations=self.destinations,
            meter=self.meter,
            failed=self.failed,
            clock=self.clock,
        )
        notified = owners.tell(run)
        if notified is not None:
            self.ledger.settle(run.key, run.attempt, notified, told=run.state)

    def parking(self) -> Parking:
        """Return the parking queues, with no scan yet."""
        return Parking(
            functions=self.functions,
            ledger=self.ledger,
            looks=self.looks,
            sqs=self.sqs,
            meter=self.meter,
            noted=self.noted,
        )

    def point(self, run: Run, *, delay: float) -> bool:
        """Send a pointer record for a waiting run to its function's queue; return False if there is no such queue."""
        function = self.functions.get(run.key.function_name)
        if function is None or function.queue_url is None:
            return False
        pointer = Pointer(key=run.key, attempt=run.attempt, turn=run.turn + 1)
        pointers.send(self.sqs, function.queue_url, pointer, delay=delay)
        # A newer turn than the ledger's is valid, so a crash between the two writes loses nothing.
        reason = run.reason or "no record of it was delivered"
        self.ledger.hold(run.key, run.attempt, turn=pointer.turn, delay=delay, reason=reason)
        return True

    def _verdict(self, run: Run, cause: Cause, *, state: RunState) -> Relaunch | Close:
        function = self.functions.get(run.key.function_name, FunctionSettings())
        return decide(
            cause,
            state=state,
            counted=run.counted_attempts,
            refusals=run.refusals,
            waited=self.clock() - run.waits_since.timestamp(),
            most_attempts=function.max_task_attempts,
            can_relaunch=None not in {function.queue_url, function.parking_queue_url},
        )

    def _ended(self, run: Run, task: StoppedTask, cause: Cause) -> Moved | Refused:
        """Close or relaunch a run whose task stopped without recording an outcome."""
        verdict = self._verdict(run, cause, state=run.state)
        if isinstance(verdict, Close):
            return self.ledger.abandon(
                run.key,
                run.attempt,
                verdict.reason,
                held_by=run.task_arn,
                state=verdict.state,
                error_type=cause.error_type,
                exit_code=task.exit_code,
            )
        return self.ledger.relaunch(
            run.key,
            run.attempt,
            verdict.reason,
            held_by=run.task_arn,
            expires_at=run.expires_at,
            unstarted=run.unstarted + 1 if verdict.unstarted else None,
            refusals=verdict.refusals,
            unparked=run.is_parked,
            remember=run.remembers or not verdict.unstarted,
        )

    def _reopened(self, run: Run, task: StoppedTask, cause: Cause) -> Moved | Refused | None:
        """Reopen a run that its runner closed as `cancelled`, if AWS stopped the task; None leaves the run as it is.

        If a person stopped it, that is recorded at once, because ECS may have forgotten the task before the destination
        can be notified.
        """
        by_runner = run.state is RunState.CANCELLED and not run.cancelled_by_person and run.task_arn == task.arn
        if not by_runner or task.is_lost or run.settled_at is not None:
            return None
        if cause.fault is Fault.PERSON:
            return self.ledger.confirm(run.key, run.attempt, held_by=task.arn)
        if cause.fault is not Fault.INFRASTRUCTURE:
            return None
        verdict = self._verdict(run, cause, state=RunState.RUNNING)
        if isinstance(verdict, Close):
            return self.ledger.abandon(
                run.key,
                run.attempt,
                verdict.reason,
                held_by=task.arn,
                error_type=cause.error_type,
                exit_code=task.exit_code,
                reopened=True,
            )
        return self.ledger.relaunch(
            run.key, run.attempt, verdict.reason, held_by=task.arn, expires_at=run.expires_at, reopened=True
        )

    def _follow(self, task: StoppedTask, run: Run) -> None:
        self.slots.give_back(task.key, task.attempt)
        if run.finished:
            self.settle(run)
            return
        if run.refusals < MOST_REFUSALS:
            self.meter.measure(run.key.function_name, metrics.RUNS_RELAUNCHED)
        self._go_on(run, task.attempt)

    def _go_on(self, run: Run, after: int) -> None:
        """Send the pointer record for the attempt `after` this one: to the failure queue, or to the parking queue."""
        if run.refusals < MOST_REFUSALS:
            self.point(run, delay=backoff(after))
        else:
            self.parking().park(run)

    def _late(self, task: StoppedTask, run: Run | None) -> None:
        """Complete what an earlier delivery of the event may have left: the slot, and the next attempt's record."""
        if run is not None and run.attempt < task.attempt:
            return
        self.slots.give_back(task.key, task.attempt)
        follows = run is not None and run.attempt == task.attempt + 1
        if run is not None and follows and run.state is RunState.QUEUED and run.turn == 0:
            self._go_on(run, task.attempt)
