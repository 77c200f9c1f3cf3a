"""What docs/security.md says that nobody can do, held against every policy of a stack."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

ROOT = Path(__file__).resolve().parents[2]
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:done"
STOPS_TASKS, STARTS_TASKS, HANDS_OVER = {"ecs:StopTask"}, {"ecs:RunTask"}, {"iam:PassRole"}


@pytest.fixture
def allowed(deploy: Deploy, recorder: Recorder) -> dict[str, list[dict[str, Any]]]:
    """Deploy two functions with destinations, and give every allowing statement by the policy's name."""
    deploy({"report": {"destinations": {"on_success": QUEUE, "on_failure": QUEUE}}, "sums": {}})
    found = {each.name: json.loads(each.inputs["policy"])["Statement"] for each in recorder.all("RolePolicy")}
    assert len(found) == 9, "four for each function, and the watcher's"
    return found


def who(allowed: dict[str, list[dict[str, Any]]], actions: set[str]) -> set[str]:
    return {name for name, statements in allowed.items() for each in statements if actions & set(each["Action"])}


def test_nobody_deletes_runs_events_or_results(allowed: dict[str, list[dict[str, Any]]]) -> None:
    """Time does: the only thing that a role may delete is a failure record that has become a run."""
    actions = {action for statements in allowed.values() for each in statements for action in each["Action"]}
    assert {action for action in actions if "Delete" in action} == {"sqs:DeleteMessage"}
    assert not {action for action in actions if action.startswith(("iam:", "sts:"))} - {"iam:PassRole"}


def test_who_starts_and_stops_tasks_and_hands_over_roles(allowed: dict[str, list[dict[str, Any]]]) -> None:
    """A dispatcher starts and the watcher stops; neither does the other's part, and no function does either."""
    dispatchers = {"report-dispatcher-permissions", "sums-dispatcher-permissions"}
    assert who(allowed, STARTS_TASKS) == who(allowed, HANDS_OVER) == dispatchers
    assert who(allowed, STOPS_TASKS) == {"overtime-watcher-permissions"}


def test_a_function_and_its_dispatcher_keep_to_their_own_runs(allowed: dict[str, list[dict[str, Any]]]) -> None:
    """Each right to items has the function's key before it, and each right to objects its folder."""
    for name, statements in allowed.items():
        key = name.partition("-")[0]
        for each in statements:
            if key == "overtime":
                continue
            if any(action.startswith("dynamodb:") for action in each["Action"]):
                keys = each["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
                assert keys == [f"overtime-test-{key}/*"], name
            if any(action.startswith("s3:") for action in each["Action"]):
                assert all(arn.endswith(f"/overtime-test-{key}/*") for arn in each["Resource"]), name


def test_who_reads_and_writes_objects(allowed: dict[str, list[dict[str, Any]]]) -> None:
    """A function reads its events and writes its results, a dispatcher writes events, the watcher copies them."""
    rights = {
        (name, action, arn.split("/")[1])
        for name, statements in allowed.items()
        for each in statements
        for action in each["Action"]
        if action in {"s3:GetObject", "s3:PutObject"}
        for arn in each["Resource"]
    }
    assert {right for right in rights if not right[0].startswith("sums")} == {
        ("report-task-runner", "s3:GetObject", "events"),
        ("report-task-runner", "s3:PutObject", "results"),
        ("report-dispatcher-permissions", "s3:PutObject", "events"),
        ("overtime-watcher-permissions", "s3:GetObject", "events"),
        ("overtime-watcher-permissions", "s3:GetObject", "results"),
        ("overtime-watcher-permissions", "s3:PutObject", "events"),
    }
    (copies,) = [each for each in allowed["overtime-watcher-permissions"] if "s3:PutObject" in each["Action"]]
    assert list(copies["Condition"]) == ["StringLike"], "a request without a source is no copy, and not allowed"


def test_every_queue_and_the_bucket_are_encrypted_and_refuse_plain_text(deploy: Deploy, recorder: Recorder) -> None:
    """At rest by the service's own keys, in transit by TLS."""
    deploy()
    queues = recorder.all("Queue")
    assert queues
    assert all(each.inputs["sqsManagedSseEnabled"] for each in queues)
    refusing = [
        statement["Action"]
        for kind in ("QueuePolicy", "BucketPolicy", "TopicPolicy")
        for each in recorder.all(kind)
        for statement in json.loads(each.inputs["policy"])["Statement"]
        if statement["Effect"] == "Deny"
    ]
    assert sorted(refusing) == ["s3:*", "sns:Publish", *(["sqs:*"] * len(queues))]


def test_the_page_is_linked_and_its_links_lead_somewhere() -> None:
    """From the README and the architecture page; and to files that there are."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    for other in ("README.md", "docs/architecture.md"):
        assert "security.md" in (ROOT / other).read_text(encoding="utf-8"), other
    named = {name for name in re.findall(r"`([\w/]+\.\w+)`", page) if "/" in name} | {
        f"docs/{name}" for name in re.findall(r"\]\((\w+\.md)", page)
    }
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
