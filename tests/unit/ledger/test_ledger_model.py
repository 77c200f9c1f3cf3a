from __future__ import annotations

import subprocess
import sys

import pytest

from overtime.contract.runs import (
    FIRST_STATES,
    TERMINAL_STATES,
    TRANSITIONS,
    InvalidRunKeyError,
    RunKey,
    RunState,
    expiry,
    parking_key,
    slots_key,
    slots_of,
    timestamp,
)


def test_a_run_key_survives_its_text_form() -> None:
    """The text in the ledger and in the task's environment names the same run again."""
    key = RunKey("report_2-x", "8b1f1a2c-5d0e")
    assert RunKey.parse(str(key)) == key
    assert (str(key), key.event_object, key.result_object(2)) == (
        "report_2-x/8b1f1a2c-5d0e",
        "events/report_2-x/8b1f1a2c-5d0e.json",
        "results/report_2-x/8b1f1a2c-5d0e/2.json",
    )


@pytest.mark.parametrize("name", ["", "a/b", "a.b", "arn:aws:lambda", "a" * 141, "é"])
def test_a_run_key_refuses_what_is_no_function_name(name: str) -> None:
    """A name that Lambda could not have given never becomes part of an S3 key."""
    with pytest.raises(InvalidRunKeyError, match="cannot be a function's name"):
        RunKey(name, "r-1")


@pytest.mark.parametrize("request_id", ["", "a/b", "..", "a_b", "a" * 65])
def test_a_run_key_refuses_what_is_no_request_id(request_id: str) -> None:
    """A request id that Lambda could not have given never becomes part of an S3 key."""
    with pytest.raises(InvalidRunKeyError, match="cannot be a request id"):
        RunKey("report", request_id)


def test_the_items_beside_the_runs_have_keys_that_no_run_has() -> None:
    """The documentation names them, for other programs that read the table."""
    assert (slots_key("report"), parking_key("report")) == ("report/:slots", "report/:parking")
    assert (slots_of("report/:slots"), slots_of("report/:parking"), slots_of("report/r-1")) == ("report", None, None)
    for key in (slots_key("report"), parking_key("report")):
        with pytest.raises(InvalidRunKeyError, match="cannot be a request id"):
            RunKey.parse(key)


def test_a_text_without_a_slash_names_no_run() -> None:
    """The error says how a run is written."""
    with pytest.raises(InvalidRunKeyError, match="<function name>/<request id>"):
        RunKey.parse("report")


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    """No state is forgotten, and none is stuck but those that are final."""
    assert set(TRANSITIONS) == set(RunState)
    assert frozenset().union(*TRANSITIONS.values()) | FIRST_STATES == set(RunState)
    assert {"succeeded", "failed", "timed_out", "cancelled", "skipped"} == TERMINAL_STATES


def test_timestamps_are_iso_8601_in_utc_with_milliseconds() -> None:
    """Times sort as text and any tool reads them."""
    assert timestamp(1_700_000_000.0625) == "2023-11-14T22:13:20.062Z"


def test_an_item_outlives_every_message_and_task_of_its_run() -> None:
    """A short retention cannot make a late duplicate run again: 14 days queued and 14 days running are kept."""
    assert expiry(0, 1) == expiry(0, 28) == 28 * 86_400
    assert expiry(0, 30) == 30 * 86_400


def test_the_runner_pays_for_no_heavy_import() -> None:
    """Model and a task's requests load none of the modules that cost milliseconds before the handler can start."""
    code = "import json, sys, overtime.contract.task_requests; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"boto3", "botocore", "dataclasses", "typing", "datetime", "inspect", "mypy_boto3_dynamodb"} & set(
        loaded
    )
