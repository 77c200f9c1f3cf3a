from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING, cast

import pytest
from moto import mock_aws

from tests.faults.worker import STEPS, begin, discover, play

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from tests.faults.wire import Call, Mode

Spot = tuple[str, "Call", "Mode"]
"""A step's title, a call of it, and what happens there."""


@cache
def players() -> ProcessPoolExecutor:
    """Start the processes that play cells; they end with this one."""
    return ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), initializer=begin)


@cache
def discovery() -> dict[str, tuple[list[Call], list[tuple[Call, Mode]]]]:
    """Run every step once with nothing wrong: its calls, and what can go wrong at them."""
    return dict(zip(STEPS, players().map(discover, STEPS), strict=True))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of every cell that the dry runs find."""
    if "spot" in metafunc.fixturenames:
        spots = [(title, *at) for title, (_, found) in discovery().items() for at in found]
        names = [f"{title} | {mode} {call[0]} {call[1]}" for title, call, mode in spots]
        metafunc.parametrize("spot", spots, ids=names)


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[Spot, Future[list[str]]]]:
    """Let every selected cell be played, in the order of the tests."""
    chosen = [cast("Spot", item.callspec.params["spot"]) for item in request.session.items if _has_spot(item)]
    yield {spot: players().submit(play, *spot) for spot in chosen}
    players().shutdown(cancel_futures=True)


def _has_spot(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and hasattr(item, "callspec") and "spot" in item.callspec.params


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in this process's memory."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield
