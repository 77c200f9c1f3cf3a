"""Every family of runtimes, with AWS's own clients, in containers, through the whole chain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunState
from tests.e2e.families import run_all
from tests.e2e.runtime_cases import CASES, PRINTED_KIB, Case

if TYPE_CHECKING:
    from overtime.ledger.run import Run
    from tests.e2e.chain import Chain

pytestmark = pytest.mark.e2e


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
