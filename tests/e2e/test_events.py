"""The handler in the container gets the value that was sent, whatever it is and however large."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from overtime.contract.runs import RunKey, RunState
from overtime.lambdas.dispatcher.failure_record import parse
from overtime.ledger.run import Failure
from overtime.runner.image import portable_python

if TYPE_CHECKING:
    from tests.e2e.chain import Chain

pytestmark = pytest.mark.e2e

GENERATED = 200
EDGES = ("{}", "[]", '""', "null", "true", "0", "-0.0", "1e300", str(2**200), '"\\ud83d\\ude80"', "[[[[[[[[1]]]]]]]]")
EACH_KEY = """
while read key; do
    if ! OVERTIME_RUN_KEY=$key "$@" >/dev/null 2>/tmp/log; then
        echo "$key failed"
        tail -n 3 /tmp/log
    fi
    rm -rf /var/task/* /opt/*
done
"""
BATCH_SECONDS = 600


def generated(count: int) -> list[bytes]:
    """Make JSON documents of every kind, in every way of writing them."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.integers(10**30, 10**40)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text()
    )
    values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)
    found: dict[bytes, None] = {}

    @hypothesis_settings(
        max_examples=2 * count, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(value=values, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 3]))
    def collect(value: object, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001 - hypothesis names them
        found[json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")] = None

    collect()
    readable = [document for document in found if _is_utf8(document)]
    return [edge.encode() for edge in EDGES] + readable[: count - len(EDGES)]


def _is_utf8(document: bytes) -> bool:
    try:
        document.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("size", [1, 8_191, 8_192, 8_193, 256 * 1024, 1_000_000])
def test_an_event_of_any_size_arrives_through_the_whole_chain(chain: Chain, size: int) -> None:
    event = b"7" if size == 1 else b'"' + b"e" * (size - 2) + b'"'
    assert len(event) == size
    run = chain.run("echo", event)
    assert (run.state, run.event_size) == (RunState.SUCCEEDED, size)
    assert chain.invocation("echo").ledger.event(run.key) == event
    assert chain.result("echo", run) == event


def test_generated_events_arrive_unchanged(chain: Chain) -> None:
    """Two hundred documents, each a run of its own in the ledger, each given to the handler by the runner's image."""
    events = generated(GENERATED)
    assert len(events) == GENERATED
    keys = recorded(chain, "echo", events)
    ledger = chain.invocation("echo").ledger
    failed = run_all(in_turn(chain, "echo"), keys)
    assert failed == ""
    for key, event in zip(keys, events, strict=True):
        run = ledger.get(key)
        assert run is not None
        assert run.state == RunState.SUCCEEDED, run
        assert ledger.event(key) == event
        assert same(json.loads(ledger.result(run)), json.loads(event)), event


def recorded(chain: Chain, function: str, events: list[bytes]) -> list[RunKey]:
    """Put a run for each event into the ledger, as the dispatcher does with the message of a failed invocation."""
    name = chain.function(function).name
    ledger = chain.invocation(function).ledger
    keys = [RunKey(name, f"00000000-0000-4000-8000-{number:012}") for number in range(len(events))]
    for key, event in zip(keys, events, strict=True):
        record = parse(failure_record(event, key.request_id), name)
        assert (record.key, record.event) == (key, event)
        ledger.record(key, record.event, failure=Failure(form=record.form), runs_days=1)
    return keys


def failure_record(event: bytes, request_id: str) -> SQSRecord:
    """Make the dead-letter message of a timed-out invocation, as the dispatcher is given it."""
    text = {"stringValue": request_id, "dataType": "String", "stringListValues": [], "binaryListValues": []}
    return SQSRecord(
        {
            "messageId": request_id,
            "body": event.decode(),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1764000000000"},
            "messageAttributes": {
                "RequestID": text,
                "ErrorCode": {**text, "stringValue": "200", "dataType": "Number"},
                "ErrorMessage": {**text, "stringValue": "2026-01-01T00:00:00.000Z Task timed out after 1.00 seconds"},
            },
        }
    )


def in_turn(chain: Chain, function: str) -> list[str]:
    """Return the command that runs the runner once a line of its input, in one container of a function's image."""
    ecs = chain.session.client("ecs")
    family = chain.output(function, "task_family")
    [container] = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["containerDefinitions"]
    variables = {each["name"]: each["value"] for each in container["environment"]} | chain.here.emulator.environment
    command = ["docker", "--host", chain.here.docker.host, "run", "--rm", "--interactive", "--network=host"]
    command += [part for name, value in variables.items() for part in ("--env", f"{name}={value}")]
    runner = portable_python.command(Path(portable_python.PLACE))
    return [*command, "--entrypoint=/bin/sh", container["image"], "-c", EACH_KEY, "sh", *runner]


def run_all(command: list[str], keys: list[RunKey]) -> str:
    """Run the runner once a key, one after the other; returns what failed."""
    done = subprocess.run(
        command,
        input="".join(f"{key}\n" for key in keys),
        capture_output=True,
        text=True,
        check=False,
        timeout=BATCH_SECONDS,
    )
    return done.stdout + (done.stderr if done.returncode else "")


def same(one: object, other: object) -> bool:
    """Compare JSON values without taking 1, 1.0 and true for the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other) and str(one) == str(other)
