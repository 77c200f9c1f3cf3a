"""What is told before an update, from settings and from what is deployed."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from overtime.contract.backlog import Work
from overtime.deployed import Deployed, DeployedFunction
from overtime.notices import StillNeededError, network_output, notices, protected, refuse
from overtime.settings import StackContext, parse

if TYPE_CHECKING:
    from pathlib import Path

    from overtime.settings import Settings

IDLE = Work(open_runs=0, waiting=0, parked=0)
BUSY = Work(open_runs=2, waiting=1, parked=0)
TODAY = date(2026, 11, 27)
UNKNOWN = Work(open_runs=0, waiting=None, parked=0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "handler.py").write_text("def handler(event, context): ...", encoding="utf-8")
    return tmp_path


def settings(root: Path, functions: dict[str, dict[str, Any]], **more: object) -> Settings:
    whole = {key: {"code": ".", "handler": "handler.handler", **each} for key, each in functions.items()}
    return parse({"functions": whole, **more}, StackContext(project="overtime", stack="test", root=root))


def there(work: dict[str, Work] | None = None, **more: Any) -> Deployed:
    """Give a stack with the drained functions `report` and `sums`, of which only this work is known."""
    names = {
        key: DeployedFunction(name=f"overtime-test-{key}", enabled=False, protected=False) for key in ("report", "sums")
    }
    known = {f"overtime-test-{key}": each for key, each in (work or {}).items()}
    return Deployed(functions=names, work=known, **{"task_retirement_days": 7, **more})


def told(found: Settings, deployed: Deployed, today: date = TODAY) -> list[tuple[str, str]]:
    return [(each.severity, each.text) for each in notices(found, deployed, today)]


def test_an_ordinary_update_is_silent(root: Path) -> None:
    """Work that stays with its function is nobody's concern."""
    functions: dict[str, dict[str, Any]] = {"report": {}, "sums": {}}
    assert told(settings(root, functions), there({"report": BUSY, "sums": IDLE})) == []
    assert told(settings(root, functions), Deployed()) == []


def test_a_function_that_goes_is_told_with_the_work_that_goes_with_it(root: Path) -> None:
    """Removing a key and renaming it are the same: the old one goes. Here a person gave its work up."""
    now = settings(root, {"report": {}, "total": {}}, retention={"force_destroy": True})
    refuse(now, there({"report": IDLE, "sums": BUSY}))
    [(severity, text)] = told(now, there({"report": IDLE, "sums": BUSY}))
    assert severity == "warning"
    assert text == (
        "This update removes the function 'sums': 2 open runs, 1 message on the failure queue and 0 messages on the "
        "parking queue are left."
    )


def test_a_drained_function_goes_in_silence(root: Path) -> None:
    now, deployed = settings(root, {"report": {}}), there({"report": BUSY, "sums": IDLE})
    refuse(now, deployed)
    assert told(now, deployed) == []


@pytest.mark.parametrize(
    ("work", "left"),
    [
        ({}, "its remaining work could not be counted"),
        ({"sums": BUSY}, "2 open runs, 1 message on the failure queue and 0 messages on the parking queue are left"),
        ({"sums": IDLE}, "no work is left"),
    ],
)
def test_a_function_that_was_not_found_drained_cannot_go(root: Path, work: dict[str, Work], left: str) -> None:
    """Its queues are protected in Pulumi's state, so the update would fail after its other steps."""
    names = {"sums": DeployedFunction(name="overtime-test-sums", protected=True)}
    known = {f"overtime-test-{key}": each for key, each in work.items()}
    deployed = Deployed(functions=names, work=known, task_retirement_days=7)
    with pytest.raises(
        StillNeededError, match=rf"'sums': {left}\.\n\nDrain a function first: restore its key with `enabled: false`"
    ):
        refuse(settings(root, {"report": {}}, retention={"force_destroy": True}), deployed)
    refuse(settings(root, {"report": {}, "sums": {}}), deployed)


def test_work_that_came_after_the_drain_keeps_its_function(root: Path) -> None:
    """A drained function still works on Lambda, and what fails there is parked."""
    with pytest.raises(StillNeededError, match="1 message on the failure queue"):
        refuse(settings(root, {"report": {}}), there({"sums": BUSY}))


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ({}, "its remaining work could not be counted"),
        ({"sums": UNKNOWN}, "0 open runs, an unknown number of messages on the failure queue"),
    ],
)
def test_what_is_not_known_is_not_called_nothing(root: Path, work: dict[str, Work], expected: str) -> None:
    [(_, text)] = told(settings(root, {"report": {}}), there(work))
    assert expected in text


@pytest.mark.parametrize(
    ("work", "severity", "expected"),
    [
        ({"report": BUSY}, "warning", "'report' is draining: 2 open runs, 1 message"),
        ({"report": UNKNOWN}, "warning", "is draining"),
        ({}, "warning", "could not be counted"),
        ({"report": IDLE}, "info", "'report' is drained. After this update, you can remove its key"),
    ],
)
def test_a_drain_is_told_how_far_it_is(root: Path, work: dict[str, Work], severity: str, expected: str) -> None:
    [(found, text)] = told(settings(root, {"report": {"enabled": False}, "sums": {}}), there(work))
    assert found == severity
    assert expected in text


@pytest.mark.parametrize(
    ("enabled", "work", "force", "expected"),
    [
        (True, BUSY, False, True),
        (True, IDLE, False, True),
        (False, BUSY, False, True),
        (False, UNKNOWN, False, True),
        (False, None, False, True),
        (False, IDLE, False, False),
        (True, BUSY, True, False),
    ],
)
def test_queues_are_protected_until_they_are_known_to_be_empty(
    root: Path, *, enabled: bool, work: Work | None, force: bool, expected: bool
) -> None:
    """Nothing is given up because it could not be counted."""
    found = settings(root, {"report": {"enabled": enabled}}, retention={"force_destroy": force})
    assert protected("report", found, there({} if work is None else {"report": work})) is expected


def test_what_was_counted_while_work_still_came_in_unprotects_nothing(root: Path) -> None:
    """The update that begins the drain may find nothing, and something may come before its end."""
    draining = settings(root, {"report": {"enabled": False}})
    names = {"report": DeployedFunction(name="overtime-test-report")}
    deployed = Deployed(functions=names, work={"overtime-test-report": IDLE}, task_retirement_days=7)
    assert protected("report", draining, deployed)
    [(severity, text)] = told(draining, deployed)
    assert severity == "warning"
    assert "is draining: no work is left. Its queues stay protected" in text


def test_a_new_function_is_protected_from_its_first_update_on(root: Path) -> None:
    assert protected("report", settings(root, {"report": {}}), Deployed())


def test_a_network_that_changes_under_runs(root: Path) -> None:
    """AWS would keep the old one while a task has its address in it."""
    functions: dict[str, dict[str, Any]] = {"report": {}, "sums": {}}
    before: dict[str, object] = {
        "cidr": "10.42.0.0/16",
        "availability_zones": 2,
        "subnet_ids": [],
        "security_group_ids": [],
    }
    assert network_output(settings(root, functions)) == before
    now = settings(root, functions, network={"availability_zones": 3})
    [(severity, text)] = told(now, there({"report": BUSY}, network=before))
    assert severity == "warning"
    assert "change while runs are open (2)" in text
    assert told(now, there({"report": IDLE}, network=before)) == []
    assert told(settings(root, functions), there({"report": BUSY}, network=before)) == []
    moved, unasked = told(now, Deployed(network=before, unasked="it was throttled"))
    assert "change while runs are open (their number is unknown)" in moved[1]
    assert unasked == ("info", "The remaining work of this stack is unknown: it was throttled.")


@pytest.mark.parametrize(
    ("days", "max_runtime", "expected"),
    [
        (7, "7d", None),
        (7, "8d", "the 7 days that Fargate waits"),
        (0, "1h", "the 0 days that Fargate waits"),
        (14, "14d", None),
        (None, "7d", None),
        (None, "8d", "AWS's default, because this account's could not be read"),
    ],
)
def test_a_runtime_that_the_account_does_not_give(
    root: Path, days: int | None, max_runtime: str, expected: str | None
) -> None:
    """Fargate stops tasks of a retired platform revision after the account's own number of days."""
    functions: dict[str, dict[str, Any]] = {"report": {"max_runtime": max_runtime}, "sums": {"max_runtime": "15m"}}
    if days == 0:
        functions.pop("sums")
    now = settings(root, functions, retention={"runs_days": 30})
    found = told(now, there({"report": IDLE, "sums": IDLE}, task_retirement_days=days))
    about = [text for _, text in found if "max_runtime" in text]
    if expected is None:
        assert about == []
    else:
        [text] = about
        assert expected in text
        assert "'report'" in text
        assert "--value 14" in text


def test_a_runtime_that_has_ended_is_told_once(root: Path) -> None:
    """With the functions that use it; the others are silent."""
    functions = {"report": {"runtime": "python3.9"}, "sums": {}, "total": {"runtime": "python3.9"}}
    [(severity, text)] = told(settings(root, functions), Deployed())
    assert severity == "warning"
    assert text == (
        "python3.9 ('report', 'total'): AWS ended its support on 2025-12-15 and plans to refuse new functions from"
        " 2027-02-01 (as of 2026-10-20). Use python3.14."
    )


@pytest.mark.parametrize(
    ("today", "word"),
    [
        (date(2026, 12, 31), None),
        (date(2027, 1, 1), "ends"),
        (date(2027, 6, 29), "ends"),
        (date(2027, 6, 30), "ended"),
        (date(2031, 1, 1), "ended"),
    ],
)
def test_the_end_of_a_runtime_is_told_half_a_year_before(today: date, word: str | None, root: Path) -> None:
    found = settings(root, {"report": {"runtime": "python3.11"}})
    texts = [text for _, text in told(found, Deployed(), today)]
    assert [f"AWS {word} its support on 2027-06-30" in text for text in texts] == ([True] if word else [])


@pytest.mark.parametrize("runtime", ["python3.13", "python3.15"])
def test_a_runtime_without_an_end_in_sight_is_silent(runtime: str, root: Path) -> None:
    assert told(settings(root, {"report": {"runtime": runtime}}), Deployed()) == []
