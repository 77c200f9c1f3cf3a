"""Every family of runtimes, with AWS's own clients, in containers, through the whole chain."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from local.base_images import prepare
from overtime.contract.runs import RunState
from tests.e2e import builds
from tests.e2e.chain import Chain, publish
from tests.e2e.families import RUNTIMES, is_deployed, run_all, settings
from tests.e2e.runtime_cases import CASES, PRINTED_KIB, Case
from tests.e2e.test_events import generated, in_turn, recorded
from tests.e2e.test_events import run_all as run_all_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.stack import Machine
    from overtime.ledger.run import Run

pytestmark = pytest.mark.e2e

EVENTS = 50
ECHOES = ("java17-jar", "go", "rust", "shell")
"""These return the event as they got it."""
DIGESTS = ("python", "nodejs22")
"""The clients of these decode the event; they return the digest of what was decoded."""


@pytest.fixture(scope="module")
def families(here: Machine) -> Iterator[Chain]:
    """Deploy the same function in each family of runtimes; all go straight to Fargate."""
    with ThreadPoolExecutor() as pool:
        for compile_ahead in (builds.rust, builds.go):
            pool.submit(compile_ahead)  # `settings` finds what it has made, or makes it again and raises what it raised
        images = {here.runtime: here.base.reference}
        images |= {runtime: prepare(here.docker.host, print, runtime).reference for runtime in RUNTIMES}
        layers = publish(here.session, builds.layers())
    deployment = here.deployment(settings(here.runtime, images, layers), stack="families")
    try:
        yield Chain(here, deployment.up().outputs)
    finally:
        deployment.destroy(remove=True)


@pytest.fixture(scope="module")
def runs(families: Chain) -> dict[str, Run]:
    """Run every case, and tell how each ended."""
    ended = run_all(families, CASES)
    print(table(ended))  # noqa: T201 - with -s
    return ended


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_run_ends_as_its_handler_did(families: Chain, runs: dict[str, Run], case: Case) -> None:
    run = run_of(case, runs)
    request_id = run.key.request_id
    [container] = families.stopped(run.task_arn or "")["containers"]
    assert (run.state, run.error_type, run.reason) == (
        case.state,
        case.error_type,
        case.message.format(id=request_id) or None,
    )
    assert run.exit_code == container["exitCode"] == (0 if case.state == RunState.SUCCEEDED else 1)
    result = families.result(case.function, run)
    if case.error_type:
        document = json.loads(result)
        assert (document["errorType"], document["errorMessage"]) == (run.error_type, run.reason)
        assert document["requestId"] == request_id
    else:
        assert (result if isinstance(case.result, bytes) else json.loads(result)) == case.result


@pytest.mark.parametrize("case", [case for case in CASES if case.name == "prints"], ids=lambda case: case.function)
def test_all_that_a_function_prints_is_in_its_log(families: Chain, runs: dict[str, Run], case: Case) -> None:
    lines = families.log(case.function, run_of(case, runs).task_arn or "")
    assert sum(line.endswith("y" * 1023) for line in lines) == PRINTED_KIB


def test_every_event_arrives_byte_for_byte(families: Chain) -> None:
    """Fifty documents a family, each a run of its own in the ledger, given to the handler by the runner's image."""
    events = generated(EVENTS)
    assert len(events) == EVENTS
    functions = [function for function in (*ECHOES, *DIGESTS) if is_deployed(families, function)]
    ledgers = {function: families.invocation(function).ledger for function in functions}
    keys = {function: recorded(families, function, events) for function in functions}
    commands = {function: in_turn(families, function) for function in functions}
    with ThreadPoolExecutor(max_workers=2) as pool:
        failed = pool.map(lambda function: run_all_events(commands[function], keys[function]), functions)
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


def run_of(case: Case, runs: dict[str, Run]) -> Run:
    """Return the run of a case, unless its function could not be built."""
    if case.id not in runs:
        pytest.skip(f"{case.function} could not be built here; with -s, the test says why")
    return runs[case.id]


def table(runs: dict[str, Run]) -> str:
    """Show how each run ended, beside what Lambda gives."""
    lines = ["| function | case | state | exit code | error type | message | on Lambda | source |", "|---" * 8 + "|"]
    for case in (case for case in CASES if case.id in runs):
        run = runs[case.id]
        message = (run.reason or "").replace(run.key.request_id, "<id>")
        cells = (case.function, case.name, run.state, run.exit_code, run.error_type or "", message)
        lines.append(f"| {' | '.join(map(str, cells))} | {case.on_lambda} | {case.source} |")
    return "\n".join(lines)
