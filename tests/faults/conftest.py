from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING, cast

import pytest
from moto import mock_aws

from tests.faults.place import Place
from tests.faults.wire import Mode
from tests.faults.worker import STEPS, Tables, begin, discover, play, quicken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from tests.faults.wire import Call

Spot = tuple[str, "Call", Mode]
"""A step's title, a call of it, and what happens there."""


@cache
def players() -> ProcessPoolExecutor:
    """Start the processes that play cells; they end with this one."""
    return ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), initializer=begin)


@cache
def discovery() -> dict[str, tuple[list[Call], list[tuple[Call, Mode]]]]:
    """Run every step once with nothing wrong: its calls, and what can go wrong at them."""
    return dict(zip(STEPS, players().map(discover, STEPS), strict=True))


def spots() -> list[Spot]:
    """List the cells to play: all of them for `make faults`.

    Otherwise all but those of frozen dispatchers and watchers, which Lambda's time limits make the rarest, and which
    take the longest. Frozen tasks are always played.
    """
    everything = [(title, *at) for title, (_, found) in discovery().items() for at in found]
    if os.environ.get("OVERTIME_ALL_FAULTS"):
        return everything
    return [spot for spot in everything if spot[2] is not Mode.FROZEN or STEPS[spot[0]].part == "runner"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of every cell that the dry runs find."""
    if "spot" in metafunc.fixturenames:
        chosen = spots()
        names = [f"{title} | {mode} {call[0]} {call[1]}" for title, call, mode in chosen]
        metafunc.parametrize("spot", chosen, ids=names)


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[Spot, Future[list[str]]]]:
    """Let every selected cell be played, in the order of the tests."""
    found = [_spot(item) for item in request.session.items]
    chosen = [spot for spot in found if spot is not None]
    yield {spot: players().submit(play, *spot) for spot in chosen}
    players().shutdown(cancel_futures=True)


def _spot(item: pytest.Item) -> Spot | None:
    params = cast("dict[str, object]", getattr(getattr(item, "callspec", None), "params", {}))
    return cast("Spot | None", params.get("spot"))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in this process's memory."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    """One AWS in this process's memory for all places of a module."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        quicken(patch.setattr)
        yield Tables()


@pytest.fixture
def place(tables: Tables) -> Iterator[Place]:
    """One function's system."""
    place = Place(tables.dynamodb, tables.s3, name="report")
    yield place
    place.clear()
