"""What the emulator tells of tasks, makes of log lines, queues and alarms: the pure part."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulator.faults import Fault, Faults
from local.emulator.patches.alarms import state_of
from local.emulator.patches.deliveries import Undelivered, dead_letter_attributes, entry_bytes, without_exit_codes
from local.emulator.patches.metrics import embedded, queue_measures
from local.emulator.patches.task_events import detail_of, stopping

if TYPE_CHECKING:
    from pathlib import Path

TASK: dict[str, Any] = {
    "taskArn": "arn:aws:ecs:eu-west-1:1:task/c/1",
    "containerInstanceArn": "arn:aws:ecs:eu-west-1:1:container-instance/c/1",
    "launchType": "FARGATE",
    "lastStatus": "STOPPED",
    "desiredStatus": "STOPPED",
    "stoppedAt": "2026-01-01T00:00:00Z",
    "stopCode": "",
    "startedAt": None,
    "tags": [{"key": "k", "value": "v"}],
    "version": 6,
    "_docker_ids": ["x"],
    "containers": [{"name": "runner", "exitCode": None, "healthStatus": "UNKNOWN"}, {"name": "side", "exitCode": 0}],
}


def test_an_event_tells_nothing_that_is_empty_inner_or_elsewhere() -> None:
    """Exit code 0 is not empty; a container that has none has none in the event."""
    assert detail_of(TASK, now="now") == {
        "taskArn": TASK["taskArn"],
        "launchType": "FARGATE",
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "stoppedAt": "2026-01-01T00:00:00Z",
        "version": 6,
        "containers": [{"name": "runner"}, {"name": "side", "exitCode": 0}],
        "updatedAt": "now",
    }
    assert "containerInstanceArn" in detail_of({**TASK, "launchType": "EC2"}, now="now")


@pytest.mark.parametrize(
    ("changed_stop", "states"), [(False, [("RUNNING", 4), ("DEPROVISIONING", 5)]), (True, [("DEPROVISIONING", 5)])]
)
def test_what_comes_before_stopped(changed_stop: bool, states: list[tuple[str, int]]) -> None:  # noqa: FBT001
    """Who asked for the stop was told of the changed desired status already."""
    before = stopping(TASK, last_status="RUNNING", changed_stop=changed_stop)
    assert [(state["lastStatus"], state["version"]) for state in before] == states
    assert not any("stoppedAt" in state for state in before)


def test_an_event_without_exit_codes_is_otherwise_the_same() -> None:
    event = {"Source": "aws.ecs", "Detail": json.dumps({"containers": [{"name": "a", "exitCode": 1}], "version": 3})}
    changed = without_exit_codes(event)
    assert json.loads(changed["Detail"]) == {"containers": [{"name": "a"}], "version": 3}
    assert json.loads(event["Detail"])["containers"][0]["exitCode"] == 1


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_an_entrys_size_is_counted_in_bytes(source: str, detail: str, resources: list[str]) -> None:
    """As "Calculating PutEvents event entry size" says; a time counts 14 bytes."""
    entry = {"Source": source, "DetailType": "é", "Detail": detail, "Resources": resources}
    texts = [source, detail, *resources]
    assert entry_bytes(entry) == 2 + sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    assert entry_bytes({**entry, "Time": 1}) == entry_bytes(entry) + 14


def test_a_dead_letter_names_rule_target_and_reason() -> None:
    attributes = dead_letter_attributes("rule", "target", Undelivered("NO_PERMISSIONS", "why"))
    assert {name: value["StringValue"] for name, value in attributes.items()} == {
        "RULE_ARN": "rule",
        "TARGET_ARN": "target",
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "why",
    }


def emf(**members: object) -> str:
    """Write a line in the embedded metric format."""
    directive = {"Namespace": "n", "Dimensions": [["f"], ["f", "g"]], "Metrics": [{"Name": "m", "Unit": "Count"}]}
    return json.dumps({"_aws": {"Timestamp": 5000, "CloudWatchMetrics": [directive]}, **members})


def test_metrics_of_a_line() -> None:
    """A dimension set of which a member is missing is left out, a list holds several values."""
    [datum] = embedded(emf(f="x", m=[1, 2.5]))
    assert datum == ("n", "m", {"f": "x"}, "Count", 5.0, [1.0, 2.5])
    assert len([*embedded(emf(f="x", g="y", m=1))]) == 2
    assert [*embedded(emf(f="x", m="many"))] == [*embedded(emf(f="x", m=True))] == [*embedded(emf(f=1, m=1))] == []


@given(st.text() | st.sampled_from(['{"_aws": 1}', '{"_aws": {}}', '["_aws"]', '{"_aws": {"Timestamp": "x"}}', "null"]))
def test_other_lines_hold_no_metrics(line: str) -> None:
    assert [*embedded(line)] == []


def test_measures_of_a_queue() -> None:
    messages = [
        {"visible_at": 50, "sent_at": 40, "receive_count": 0},
        {"visible_at": 500, "sent_at": 10, "receive_count": 1},
        {"visible_at": 500, "sent_at": 90, "receive_count": 0},
    ]
    assert queue_measures(messages, 100) == {
        "ApproximateNumberOfMessagesVisible": (1, "Count"),
        "ApproximateNumberOfMessagesDelayed": (1, "Count"),
        "ApproximateNumberOfMessagesNotVisible": (1, "Count"),
        "ApproximateAgeOfOldestMessage": (90, "Seconds"),
    }
    assert queue_measures([], 100)["ApproximateAgeOfOldestMessage"] == (0, "Seconds")


@pytest.mark.parametrize(
    ("missing", "needed", "values", "state"),
    [
        ("missing", None, [None, None], "INSUFFICIENT_DATA"),
        ("ignore", None, [None, None], "OLD"),
        ("notBreaching", None, [None, None], "OK"),
        ("breaching", None, [None, None], "ALARM"),
        ("missing", None, [5, None], "ALARM"),
        ("missing", None, [0, None], "OK"),
        ("notBreaching", None, [5, None], "OK"),
        ("notBreaching", 1, [5, None], "ALARM"),
        ("missing", 2, [5, 0, 5], "ALARM"),
        ("missing", None, [5, 0, 5], "OK"),
    ],
)
def test_an_alarms_state(missing: str, needed: int | None, values: list[float | None], state: str) -> None:
    """M out of N periods, and what the alarm says of periods without data."""
    alarm = {
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1.0,
        "TreatMissingData": missing,
        "StateValue": "OLD",
        "DatapointsToAlarm": needed,
    }
    assert state_of(alarm, values) == state


def rules(path: Path, *faults: Fault) -> Faults:
    """Write rules and read them."""
    path.write_text(json.dumps(faults))
    return Faults(path)


def test_rules_of_one_kind_are_not_taken_for_another(tmp_path: Path) -> None:
    faults = rules(
        tmp_path / "faults.json",
        {"times": 1, "deliver": {"drop": True}},
        {"contains": "x", "stop": {"code": "c", "reason": "r"}},
    )
    assert faults.take(service="ecs", action="RunTask", body="", caller="") is None
    assert faults.take("stop", body="y") is None
    assert faults.take("stop", body="xyz") is not None
    assert faults.has("deliver")
    assert faults.take("deliver", body="") == {"times": 1, "deliver": {"drop": True}}
    assert not faults.has("deliver")
    assert not faults.has("fail_to_start")


def test_a_rule_with_a_time_limit_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = rules(tmp_path / "faults.json", {"for_seconds": 30, "respond": {"status": 503, "body": {}}})
    assert faults.take(body="") is not None
    later = time.time() + 31
    monkeypatch.setattr(time, "time", lambda: later)
    assert faults.take(body="") is None
