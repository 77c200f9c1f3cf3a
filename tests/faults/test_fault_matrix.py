"""A fault at every external call of every step of dispatcher, watcher and runner: nothing lost, nothing twice.

The calls of a step are those of a dry run. What can happen at each says `wire.Mode`; what must be true afterwards says
`cell.broken`. The system is real but for AWS: DynamoDB and S3 are moto's, ECS, SQS and the destinations are stand-ins
whose time is the test's, and the runner is a process that is killed with SIGKILL.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from overtime.contract import task_requests
from overtime.lambdas.dispatcher.launch import LaunchPlan
from overtime.ledger import requests
from tests.faults.cell import discovered
from tests.faults.conftest import discovery, spots
from tests.faults.wire import Mode
from tests.faults.worker import STEPS, Tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from types import ModuleType

    from tests.faults.conftest import Spot


def test_a_fault_breaks_no_promise(spot: Spot, outcomes: dict[Spot, Future[list[str]]]) -> None:
    """No run lost, no handler twice in an attempt, no two writers, the right end, its owner told under one name."""
    assert outcomes[spot].result() == []


@pytest.mark.parametrize("title", STEPS)
def test_a_step_calls_the_services_that_it_is_about(title: str) -> None:
    """A dry run that went another way would make the matrix smaller, and nobody would see."""
    calls, found = discovery()[title]
    assert {name.partition(":")[0] for name, _ in calls} >= STEPS[title].services
    assert found


def test_the_matrix_is_as_large_as_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    """Every call that a dry run finds has each kind of fault; the table is what was played."""
    total = 0
    lines = [f"{'step':<70} calls " + " ".join(f"{mode:>9}" for mode in Mode) + "  cells"]
    for title, (calls, found) in discovery().items():
        only = STEPS[title].only
        wanted = [call for call in calls if only is None or call[0].partition(":")[0] in only]
        modes = Counter(mode for _, mode in found)
        assert all(modes[mode] == len(wanted) for mode in Mode if mode is not Mode.LATE)
        assert modes[Mode.LATE] == (0 if "schedule" in title else len(wanted))
        lines.append(
            f"{title:<70} {len(calls):>5} " + " ".join(f"{modes[mode]:>9}" for mode in Mode) + f" {len(found):>6}"
        )
        total += len(found)
    assert len(spots()) >= total * 4 // 5
    assert {title.partition(":")[0] for title in discovery()} == {"dispatcher", "watcher", "runner"}
    with capsys.disabled():
        print("\n" + "\n".join([*lines, f"{total} cells, {len(spots())} of them played"]))  # noqa: T201 -- the table is the point


def _unfenced(module: ModuleType, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Let a write of the ledger happen whatever the item says."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        write = getattr(module, name)

        def unconditional(*args: object, **rest: object) -> dict[str, object]:
            request: dict[str, object] = write(*args, **rest)
            either = f"{request['ConditionExpression']} OR attribute_exists(run_key) OR attribute_not_exists(run_key)"
            return request | {"ConditionExpression": either}

        patch.setattr(module, name, unconditional)

    return mutate


def _new_tokens(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LaunchPlan, "client_token", property(lambda _: uuid.uuid4().hex))


def _settled_unsent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("overtime.lambdas.watcher.destinations.Destinations.send", lambda *_: None)


def _pointer_unsent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("overtime.ledger.pointers.send", lambda *_, **__: None)
    patch.setattr("overtime.lambdas.watcher.reconcile._overdue", lambda *_: 0)


@pytest.mark.parametrize(
    ("mutate", "title", "sign"),
    [
        (_unfenced(task_requests, "claim"), "dispatcher: a record is launched", "the handler of"),
        (
            _unfenced(task_requests, "finish"),
            "watcher: schedule: ECS does not know a task that goes on",
            "was not its own",
        ),
        (_unfenced(requests, "record"), "dispatcher: a record is launched", "the handler of"),
        (_new_tokens, "dispatcher: a record is launched", "were alive at once"),
        (_settled_unsent, "watcher: a handler raised", "told of"),
        (_pointer_unsent, "watcher: an image was not pulled", "is lost"),
    ],
    ids=[
        "claim without condition",
        "finish without condition",
        "record without condition",
        "a new token each call",
        "settled and not sent",
        "relaunched and not pointed at",
    ],
)
def test_the_matrix_sees_a_broken_rule(
    mutate: Callable[[pytest.MonkeyPatch], None],
    title: str,
    sign: str,
    aws: None,  # noqa: ARG001 -- the tables are in it
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one rule broken, cells of the step fail, and say what was broken."""
    tables, step = Tables(), STEPS[title]
    with tables.place(step) as place:
        _, found = discovered(step, place)
    mutate(monkeypatch)
    assert any(sign in broken for cell in found for broken in tables.play(cell))
