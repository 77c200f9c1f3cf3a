# ruff: noqa: D102 -- a rule is named by what it lets happen
"""The real dispatcher, watcher and ledger, and tasks that live and die as they like, in any order and with crashes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from overtime.contract.runs import ENDS, TRANSITIONS, RunKey, RunState
from overtime.ledger.answers import Moved
from overtime.ledger.run import Failure
from tests.doubles.crash import Fuse
from tests.doubles.ecs import STOPS
from tests.doubles.refusals import refused, throttled
from tests.doubles.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from overtime.ledger.answers import Refused
    from overtime.ledger.run import Run
    from overtime.ledger.store import RunLedger
    from tests.doubles.task_ledger import TaskLedger

# Whose attempt a writer believes in, seen from the run's own: mostly right, sometimes older or too new.
OFF, TASKS = st.sampled_from([0, 0, 0, -1, 1]), st.sampled_from(["task-a", "task-b"])
PICK = st.integers(0, 11)
CRASH = st.one_of(st.just(Fuse()), st.builds(Fuse, st.integers(1, 9), after=st.booleans()))
_names = itertools.count()


class Interleaved(RuleBasedStateMachine):
    """One run, and everybody who may write it, each as often and as late as they like."""

    ledger: ClassVar[RunLedger]
    task_ledger: ClassVar[TaskLedger]

    @initialize(state=st.sampled_from([RunState.QUEUED, RunState.QUEUED, RunState.SKIPPED]))
    def record(self, state: RunState) -> None:
        self.key = RunKey("report", f"r-{next(_names)}")
        self.claims: dict[int, str] = {}
        self.ends: list[tuple[int, RunState]] = []
        self.being_told: list[Run] = []
        self.ledger.record(self.key, b"{}", failure=Failure(form="dead_letter"), runs_days=30, state=state)
        self.run = self.read()

    def read(self) -> Run:
        run = self.ledger.get(self.key)
        assert run is not None
        return run

    def took(self, answer: Moved | Refused | bool) -> bool:  # noqa: FBT001 -- a task's write answers yes or no
        """Note the change, and check that the table allows it."""
        before, self.run = self.run, self.read()
        if answer is True or isinstance(answer, Moved):
            assert self.run.state == before.state or self.run.state in TRANSITIONS[before.state]
            assert self.run.state == before.state or not before.cancelled_by_person
            assert before.settled_at is None or before.state is RunState.SKIPPED
            if self.run.finished and self.run.state != before.state:
                self.ends.append((self.run.attempt, self.run.state))
            return True
        assert self.run == before
        return False

    @rule()
    def duplicate_record(self) -> None:
        self.ledger.record(self.key, b"[]", failure=Failure(form="destination"), runs_days=1)
        assert self.read() == self.run

    @rule()
    def revive(self) -> None:
        if self.took(self.ledger.revive(self.run, b"{}", "rescued by now", runs_days=30)):
            assert (self.run.settled_at, len(self.run.history)) == (None, 2)

    @rule(off=OFF)
    def launching(self, off: int) -> None:
        self.took(self.ledger.launching(self.key, self.run.attempt + off))

    @rule(off=OFF, task=TASKS)
    def launched(self, off: int, task: str) -> None:
        self.took(self.ledger.launched(self.key, self.run.attempt + off, f"{task}-{self.run.attempt + off}"))

    @rule(off=OFF)
    def release(self, off: int) -> None:
        self.took(self.ledger.release(self.key, self.run.attempt + off, "RESOURCE:MEMORY"))

    @rule(off=OFF, by=st.sampled_from([1, 1, 2]))
    def hold(self, off: int, by: int) -> None:
        turn = self.run.turn
        if self.took(self.ledger.hold(self.key, self.run.attempt + off, turn=turn + by, delay=5, reason="full")):
            assert (off, by, self.run.turn) == (0, 1, turn + 1)

    @rule(off=OFF, task=TASKS)
    def claim(self, off: int, task: str) -> None:
        if self.took(
            self.task_ledger.claim(self.key, self.run.attempt + off, f"{task}-{self.run.attempt + off}", task)
        ):
            assert self.run.attempt not in self.claims
            self.claims[self.run.attempt] = f"{task}-{self.run.attempt}"

    @rule(off=OFF, task=TASKS, state=st.sampled_from(sorted(ENDS)))
    def finish(self, off: int, task: str, state: RunState) -> None:
        arn = f"{task}-{self.run.attempt + off}"
        if self.took(self.task_ledger.finish(self.key, self.run.attempt + off, arn, state, exit_code=1)):
            assert off == 0
            assert self.claims[self.run.attempt] == arn
            assert self.run.attempt == max(self.claims)

    @rule(off=OFF, reopened=st.booleans())
    def abandon(self, off: int, *, reopened: bool) -> None:
        attempt, held_by = self.run.attempt + off, self.run.task_arn
        self.took(self.ledger.abandon(self.key, attempt, "image not found", held_by=held_by, reopened=reopened))

    @rule(off=OFF, reopened=st.booleans())
    def relaunch(self, off: int, *, reopened: bool) -> None:
        self.took(
            self.ledger.relaunch(
                self.key,
                self.run.attempt + off,
                "Spot took the host",
                held_by=self.run.task_arn,
                expires_at=self.run.expires_at,
                reopened=reopened,
            )
        )

    @rule(off=OFF)
    def cancel(self, off: int) -> None:
        self.took(self.ledger.cancel(self.key, self.run.attempt + off, "by hand"))

    @rule(off=OFF)
    def confirm(self, off: int) -> None:
        if self.took(self.ledger.confirm(self.key, self.run.attempt + off, held_by=self.run.task_arn or "none")):
            assert (self.run.state, self.run.cancelled_by_person) == (RunState.CANCELLED, True)

    @precondition(lambda self: self.run.finished)
    @rule()
    def begin_to_tell(self) -> None:
        self.being_told.append(self.run)

    @rule(off=OFF, pick=PICK, late=st.booleans())
    def settle(self, off: int, pick: int, *, late: bool) -> None:
        """Write down that the owner was told: of the run as it is, or as it was when somebody began to tell."""
        run = self.being_told[pick % len(self.being_told)] if late and self.being_told else self.run
        if run.finished and self.took(self.ledger.settle(self.key, run.attempt + off, run.state, told=run.state)):
            assert self.run.finished

    @invariant()
    def the_owner_was_told_of_the_end_that_is_settled(self) -> None:
        if self.run.settled_at is not None:
            assert self.run.notified == self.run.state

    @invariant()
    def ends_once_an_attempt(self) -> None:
        """One end an attempt; only `cancelled` may become `failed` when it is known who stopped the task."""
        for attempt, ends in itertools.groupby(self.ends, key=lambda end: end[0]):
            states = [state for _, state in ends]
            assert len(states) == 1 or states == [RunState.CANCELLED, RunState.FAILED], attempt


class System(RuleBasedStateMachine):
    """Everything but AWS is real: records, crashes, duplicates, refusals, deaths of tasks, late and lost events."""

    clients: ClassVar[tuple[DynamoDBClient, S3Client]]
    most: ClassVar[int] = 2

    @initialize(spot=st.booleans())
    def begin(self, *, spot: bool) -> None:
        name = f"report{next(_names)}"
        self.world = World(*self.clients, most=self.most, spot=spot, receives=10_000, name=name)
        self.keys: list[RunKey] = []
        self.accepted: dict[RunKey, RunState] = {}
        self.by_hand: set[RunKey] = set()

    def pick(self, tasks: list[str], index: int) -> str:
        return tasks[index % len(tasks)]

    def holders(self) -> list[str]:
        """Name the live tasks whose run is running as theirs."""
        return [arn for arn in self.world.cluster.alive() if self.has(self.world.about(arn)[0]) == ("running", arn)]

    def has(self, key: RunKey) -> tuple[str | None, str | None]:
        """Read state and task of a run, and not its history: this is asked before and after every step."""
        item = (
            self.clients[0]
            .get_item(
                TableName="runs",
                Key={"run_key": {"S": str(key)}},
                ProjectionExpression="#state, task_arn",
                ExpressionAttributeNames={"#state": "state"},
            )
            .get("Item", {})
        )
        return item.get("state", {}).get("S"), item.get("task_arn", {}).get("S")

    @precondition(lambda self: len(self.keys) < 4)
    @rule()
    def lambda_gives_up(self) -> None:
        self.keys.append(self.world.fail(f"r-{len(self.keys)}"))

    @precondition(lambda self: self.world.waiting())
    @rule(index=PICK, fuse=CRASH, keep=st.booleans())
    def deliver(self, index: int, fuse: Fuse, *, keep: bool) -> None:
        few = keep and len(self.world.waiting()) < 8
        self.world.deliver(index % len(self.world.waiting()), fuse=Fuse(fuse.at, after=fuse.after), keep=few)

    @rule(kind=st.sampled_from(["throttled", "no capacity", "no answer", "denied"]))
    def ecs_refuses(self, kind: str) -> None:
        answers: dict[str, Exception | list[dict[str, str]]] = {
            "throttled": throttled(),
            "no capacity": [{"reason": "Capacity is unavailable at this time"}],
            "no answer": refused("ServerException", 500),
            "denied": refused("AccessDeniedException", 400),
        }
        self.world.cluster.answers = [answers[kind]]

    @precondition(lambda self: self.world.cluster.alive())
    @rule(index=PICK)
    def claim(self, index: int) -> None:
        self.world.claim(self.pick(self.world.cluster.alive(), index))

    @precondition(lambda self: self.holders())
    @rule(index=PICK, state=st.sampled_from([RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED]))
    def finish(self, index: int, state: RunState) -> None:
        task = self.pick(self.holders(), index)
        assert self.world.finish(task, state)
        if state is not RunState.CANCELLED:
            self.accepted[self.world.about(task)[0]] = state

    @precondition(lambda self: self.world.cluster.alive())
    @rule(index=PICK, how=st.sampled_from(sorted(STOPS)), fuse=CRASH, tell=st.booleans())
    def stop(self, index: int, how: str, fuse: Fuse, *, tell: bool) -> None:
        task = self.pick(self.world.cluster.alive(), index)
        self.world.stop(task, how)
        if tell:
            self.world.tell(task, fuse=Fuse(fuse.at, after=fuse.after))

    @precondition(lambda self: len(self.world.cluster.alive()) < len(self.world.cluster.tasks))
    @rule(index=PICK, fuse=CRASH)
    def tell_late_or_again(self, index: int, fuse: Fuse) -> None:
        stopped = [arn for arn in self.world.cluster.tasks if arn not in self.world.cluster.alive()]
        self.world.tell(self.pick(stopped, index), fuse=Fuse(fuse.at, after=fuse.after))

    @precondition(lambda self: self.keys)
    @rule(index=PICK)
    def cancel(self, index: int) -> None:
        run = self.world.ledger().get(self.keys[index % len(self.keys)])
        if run and isinstance(self.world.ledger().cancel(run.key, run.attempt, "by hand"), Moved):
            self.by_hand.add(run.key)

    @rule(fuse=CRASH, after=st.sampled_from([1, 1_200]))
    def reconcile(self, fuse: Fuse, after: int) -> None:
        self.world.reconcile(after=after, fuse=Fuse(fuse.at, after=fuse.after))

    @invariant()
    def never_more_tasks_than_allowed(self) -> None:
        assert self.world.cluster.most_alive <= self.most

    @invariant()
    def the_handler_runs_once_an_attempt(self) -> None:
        assert all(count == 1 for count in self.world.executed.values())

    @invariant()
    def one_task_a_run_may_write(self) -> None:
        holders = [self.world.about(arn)[0] for arn in self.holders()]
        assert len(holders) == len(set(holders))

    def teardown(self) -> None:
        """Nothing goes wrong any more: then every run ends, tells the truth, and its owner knows."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.cluster.answers = []
        for _ in range(40):
            for _ in range(len(world.waiting())):
                world.deliver()
            for task in world.cluster.alive():
                if world.claim(task) or task in self.holders():
                    assert world.finish(task, RunState.SUCCEEDED)
                    self.accepted[world.about(task)[0]] = RunState.SUCCEEDED
                world.stop(task, "returned")
                world.tell(task)
            world.reconcile()
            if all(world.run(key).settled_at for key in self.keys) and not world.slots().held(world.name):
                break
        for key in self.keys:
            self.told_the_truth(key)
        assert not world.slots().held(world.name)
        assert not world.cluster.alive()
        assert not world.queues.sent.get("https://queue/parking")

    def told_the_truth(self, key: RunKey) -> None:
        run = self.world.run(key)
        assert run.settled_at is not None, "no run is lost"
        if key in self.by_hand:
            assert run.state is RunState.CANCELLED
        elif key in self.accepted:
            assert run.state is self.accepted[key]
        else:
            assert run.state in {RunState.FAILED, RunState.CANCELLED}
            assert run.reason or run.exit_code is not None
        sent = self.world.told("x:done" if run.state is RunState.SUCCEEDED else "x:failed")
        assert any(f"'{key.request_id}'" in str(each["requestContext"]) for each in sent)


def test_no_order_of_writes_breaks_a_run(ledger: RunLedger, task_ledger: TaskLedger) -> None:
    """Deliveries, tasks, relaunches and cancels in any order and number: one claim an attempt, one end."""
    Interleaved.ledger, Interleaved.task_ledger = ledger, task_ledger
    run_machine(Interleaved, settings=_bounded(10, 25))


def test_no_order_of_events_and_crashes_loses_a_run(dynamodb: DynamoDBClient, s3: S3Client) -> None:
    """Real dispatchers and watchers over four runs and two places: nothing lost, nothing twice, never three tasks."""
    System.clients = (dynamodb, s3)
    run_machine(System, settings=_bounded(10, 30))


def _bounded(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=(Phase.reuse, Phase.generate),  # shrinking would take minutes; the example is printed as it is
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("state", RunState)
def test_the_word_of_a_state_is_what_people_read(state: RunState) -> None:
    """States print as their bare words in logs, tables and JSON."""
    assert f"{state}" == state.value
