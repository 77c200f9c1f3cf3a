"""Each kind of handler, in a container, through the whole chain: state, exit code, error and result."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunState

if TYPE_CHECKING:
    from tests.e2e.chain import Chain

pytestmark = pytest.mark.e2e

SIX_MB = 6 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Case:
    """A function, its event, and how its run ends."""

    key: str
    event: object = field(default_factory=dict)
    state: RunState = RunState.SUCCEEDED
    exit_code: int = 0
    error_type: str | None = None
    says: str = ""
    """Part of the error's text."""
    result: object = None


FAILED = {"state": RunState.FAILED, "exit_code": 1}
CASES = (
    Case(key="echo", event=[1, {"a": None}], result=[1, {"a": None}]),
    Case(key="slash", event=1, result={"module": "pkg.mod", "event": 1}),
    Case(key="dots", event=1, result={"module": "pkg.mod", "event": 1}),
    Case(key="at-import", result="hello from at-import"),
    Case(key="layered", result={"shared": "upper", "only_lower": "lower"}),
    Case(key="threads", result=[0, 1, 4, 9, 16, 25, 36, 49]),
    Case(key="nothing", result=None),
    Case(key="prints", event={"bytes": 10_000_000}, result="printed"),
    Case(key="returns", event={"bytes": SIX_MB}, result="x" * (SIX_MB - 2)),
    Case(
        key="returns",
        event={"bytes": SIX_MB + 1_000_000},
        error_type="Function.ResponseSizeTooLarge",
        says="exceeded maximum allowed payload size",
        **FAILED,  # type: ignore[arg-type]
    ),
    Case(key="raises", error_type="LookupError", says="no such customer", **FAILED),  # type: ignore[arg-type]
    Case(key="exits", error_type="Runtime.ExitError", says="exit status 3", **FAILED),  # type: ignore[arg-type]
    Case(key="hungry", error_type="Runtime.OutOfMemory", says="signal: killed", **FAILED),  # type: ignore[arg-type]
    Case(
        key="unserialisable",
        error_type="Runtime.MarshalError",
        says="Object of type set is not JSON serializable",
        **FAILED,  # type: ignore[arg-type]
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_a_run_ends_as_its_handler_did(chain: Chain, case: Case) -> None:
    run = chain.run(case.key, json.dumps(case.event).encode())
    task = chain.stopped(run.task_arn or "")
    [container] = task["containers"]
    print(f"{case.key:15} {run.state:10} {container['exitCode']:3} {run.error_type} {run.reason}")  # noqa: T201 - with -s
    assert (run.state, run.exit_code, run.error_type) == (case.state, case.exit_code, case.error_type)
    assert container["exitCode"] == case.exit_code
    document = chain.document(case.key, run)
    if case.error_type:
        assert case.says in (run.reason or "")
        assert (document["errorType"], document["errorMessage"]) == (case.error_type, run.reason)
    else:
        assert document == case.result


def test_ten_megabytes_of_output_are_all_in_the_functions_log(chain: Chain) -> None:
    run = chain.run("prints", b'{"bytes": 10000000}')
    lines = chain.log("prints", run.task_arn or "")
    assert sum(len(line) + 1 for line in lines if line.startswith("yyyy")) == 10_000_000 // 1024 * 1024
    assert "this went to stderr" in lines


def test_an_error_with_its_trace_is_one_event_of_the_log(chain: Chain) -> None:
    run = chain.run("raises")
    lines = chain.log("raises", run.task_arn or "")
    assert [line for line in lines if line.startswith("[ERROR] LookupError: no such customer\rTraceback (most recent")]


def test_the_log_is_framed_as_on_lambda(chain: Chain) -> None:
    run = chain.run("echo")
    lines = chain.log("echo", run.task_arn or "")
    request_id = run.key.request_id
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[-2] == f"END RequestId: {request_id}"
    assert lines[-1].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
