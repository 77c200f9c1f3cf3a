"""The handler gets every event byte for byte, in each family of runtimes."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunState
from tests.e2e.families import is_deployed
from tests.e2e.test_events import generated, in_turn, recorded, run_all

if TYPE_CHECKING:
    from tests.e2e.chain import Chain

pytestmark = pytest.mark.e2e

EVENTS = 50
ECHOES = ("java17-jar", "go", "rust", "shell")
"""These return the event as they got it."""
DIGESTS = ("python", "nodejs22")
"""The clients of these decode the event; they return the digest of what was decoded."""


def test_every_event_arrives_byte_for_byte(families: Chain) -> None:
    """Fifty documents a family, each a run of its own in the ledger, given to the handler by the runner's image."""
    events = generated(EVENTS)
    assert len(events) == EVENTS
    functions = [function for function in (*ECHOES, *DIGESTS) if is_deployed(families, function)]
    ledgers = {function: families.invocation(function).ledger for function in functions}
    keys = {function: recorded(families, function, events) for function in functions}
    commands = {function: in_turn(families, function) for function in functions}
    with ThreadPoolExecutor(max_workers=2) as pool:
        failed = pool.map(lambda function: run_all(commands[function], keys[function]), functions)
    assert list(failed) == [""] * len(functions)
    for function, ledger in ledgers.items():
        for key, event in zip(keys[function], events, strict=True):
            run = ledger.get(key)
            assert run is not None
            assert run.state == RunState.SUCCEEDED, run
            result = ledger.result(run)
            if function in DIGESTS:
                assert json.loads(result) == hashlib.sha256(event).hexdigest(), event
            else:
                assert result == event, function
