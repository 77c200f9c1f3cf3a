from __future__ import annotations

import json
from typing import Any

from local.provider.aws import states
from local.provider.aws.registry import TYPES
from local.provider.aws.values import UNKNOWN, Archive, Secret

QUEUE, FUNCTION, ROLE = (
    TYPES[token] for token in ("aws:sqs/queue:Queue", "aws:lambda/function:Function", "aws:iam/role:Role")
)


def test_a_preview_of_something_new_knows_only_what_is_given_or_always_so() -> None:
    state = states.of_new(QUEUE, {"name": "q", "delaySeconds": UNKNOWN}, "eu-west-1")
    assert state == {
        "name": "q",
        "delaySeconds": UNKNOWN,
        "maxMessageSize": 262_144,
        "messageRetentionSeconds": 345_600,
        "receiveWaitTimeSeconds": 0,
        "redrivePolicy": None,
        "sqsManagedSseEnabled": UNKNOWN,
        "visibilityTimeoutSeconds": 30,
        "tags": None,
        "arn": UNKNOWN,
        "url": UNKNOWN,
        "region": "eu-west-1",
    }


def test_a_preview_of_a_change_knows_what_the_change_cannot_touch() -> None:
    """New code has another checksum; the function's ARN stays."""
    before = {"arn": "a", "codeSha256": "1", "lastModified": "then", "memorySize": 128, "timeout": 9}
    new = {"code": Archive(hash="2")}
    state = states.of_changed(FUNCTION, before, new, ["code", "timeout"])
    assert {name: state[name] for name in (*before, "code")} == {
        "arn": "a",
        "codeSha256": UNKNOWN,
        "lastModified": UNKNOWN,
        "memorySize": 128,
        "timeout": 3,
        "code": Archive(hash="2"),
    }


def test_a_state_keeps_the_program_s_words_where_aws_means_the_same() -> None:
    inputs = {"name": "q", "redrivePolicy": '{"a": 1}', "delaySeconds": 5}
    told = {"name": "q", "redrivePolicy": '{"a":1}', "delaySeconds": 6, "arn": "x", "url": "u"}
    state = states.of_made(QUEUE, inputs, told, "eu-west-1")
    assert (state["redrivePolicy"], state["delaySeconds"], state["arn"]) == ('{"a": 1}', 6, "x")


def test_a_secret_input_is_a_secret_in_the_state_even_if_aws_tells_another_value() -> None:
    inputs = {"environment": {"variables": {"T": Secret("s")}}}
    same = states.of_made(FUNCTION, inputs, {"environment": {"variables": {"T": "s"}}}, "r")
    other = states.of_made(FUNCTION, inputs, {"environment": {"variables": {"T": "drift"}}}, "r")
    assert same["environment"] == inputs["environment"]
    assert other["environment"] == Secret({"variables": {"T": "drift"}})


def refreshed(inputs: dict[str, Any], told: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    before = states.of_made(QUEUE, inputs, {**inputs, "arn": "a", "url": "u"}, "r")
    return states.refreshed(QUEUE, inputs, before, {"arn": "a", "url": "u", **told})


def test_a_refresh_without_drift_changes_nothing() -> None:
    inputs = {"name": "q", "redrivePolicy": '{"a": 1}', "__defaults": ["name"]}
    before = states.of_made(QUEUE, inputs, {**inputs, "arn": "a", "url": "u"}, "r")
    told = {"name": "q", "redrivePolicy": '{"a":1}', "delaySeconds": 0, "arn": "a", "url": "u"}
    assert states.refreshed(QUEUE, inputs, before, told) == (inputs, before)


def test_a_refresh_puts_drift_into_inputs_and_state() -> None:
    """So that the next update sees it, and brings back what the program says."""
    inputs, state = refreshed({"name": "q", "delaySeconds": 5}, {"name": "q", "delaySeconds": 6, "tags": {"a": "b"}})
    assert inputs == {"name": "q", "delaySeconds": 6, "tags": {"a": "b"}}
    assert (state["delaySeconds"], state["tags"]) == (6, {"a": "b"})


def test_what_aws_chooses_is_no_drift() -> None:
    inputs, state = refreshed({"name": "q"}, {"name": "q", "sqsManagedSseEnabled": True})
    assert inputs == {"name": "q"}
    assert state["sqsManagedSseEnabled"] is True


def test_what_was_taken_away_is_no_input_any_more() -> None:
    inputs, _ = refreshed({"name": "q", "tags": {"a": "b"}}, {"name": "q", "tags": {}})
    assert inputs.get("tags") in (None, {})


def test_what_aws_does_not_tell_stays_as_it_is() -> None:
    inputs = {"name": "r", "assumeRolePolicy": json.dumps({}), "forceDetachPolicies": True}
    new_inputs, state = states.refreshed(ROLE, inputs, dict(inputs), {"name": "r", "assumeRolePolicy": "{}"})
    assert new_inputs == inputs
    assert state["forceDetachPolicies"] is True
