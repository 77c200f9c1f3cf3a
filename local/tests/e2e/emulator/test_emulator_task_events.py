"""Every change of a task reaches EventBridge as ECS tells it, however the task ends."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.docker_daemon import ContainerEngine
    from local.emulator.faults import Stop
    from local.emulator.testkit import Aws

    Told = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.e2e
PATIENCE_SECONDS = 30
FOREVER = "import time; print('up', flush=True); time.sleep(600)"


def task_rule(aws: Aws, name: str, cluster: str = "c") -> str:
    """Make a rule for the events of one cluster's tasks."""
    account, region = aws.emulator.settings.account_id, aws.emulator.settings.region
    pattern = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [f"arn:aws:ecs:{region}:{account}:cluster/{cluster}"]},
    }
    arn: str = aws.events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    return arn


def queue_for(aws: Aws, name: str, rule: str) -> tuple[str, str]:
    """Make a queue to which the rule may send."""
    url, arn = aws.queue(name)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
            }
        ],
    }
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    return url, arn


@pytest.fixture(scope="module")
def told(aws: Aws) -> Iterator[Told]:
    """Give the events of a task, waiting until there are so many of them."""
    rule = task_rule(aws, "tasks")
    url, arn = queue_for(aws, "told", rule)
    aws.events.put_targets(Rule="tasks", Targets=[{"Id": "queue", "Arn": arn}])
    elsewhere = task_rule(aws, "elsewhere", "another")
    other_url, other_arn = queue_for(aws, "elsewhere", elsewhere)
    aws.events.put_targets(Rule="elsewhere", Targets=[{"Id": "queue", "Arn": other_arn}])
    kept: dict[str, list[dict[str, Any]]] = {}

    def events(task: str, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(kept.get(task, [])) < count and time.monotonic() < deadline:
            for message in aws.messages(url):
                event = json.loads(message["Body"])
                kept.setdefault(event["detail"]["taskArn"], []).append(event)
                aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return kept.get(task, [])

    yield events
    assert not aws.sqs.receive_message(QueueUrl=other_url).get("Messages"), "the pattern names another cluster"


def told_states(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Give last and desired status of each event."""
    return [(event["detail"]["lastStatus"], event["detail"]["desiredStatus"]) for event in events]


STARTS = [("PROVISIONING", "RUNNING"), ("PENDING", "RUNNING")]
RUNS = [*STARTS, ("RUNNING", "RUNNING")]
STOPS = [("DEPROVISIONING", "STOPPED"), ("STOPPED", "STOPPED")]
RUNS_AND_STOPS = [*RUNS, ("RUNNING", "STOPPED"), *STOPS]


def test_an_ordinary_life(aws: Aws, told: Told, run: Callable[..., str]) -> None:
    """Six events with a version that counts; the exit code is in those that know it; the group names the family."""
    task = run("import sys; sys.exit(3)")
    events = told(task, 6)
    assert told_states(events) == RUNS_AND_STOPS
    assert [event["detail"]["version"] for event in events] == [1, 2, 3, 4, 5, 6]
    first, last = events[0], events[-1]
    assert (last["source"], last["detail-type"], last["resources"]) == ("aws.ecs", "ECS Task State Change", [task])
    assert not {"startedAt", "stoppedAt", "stopCode", "stoppedReason"} & first["detail"].keys()
    assert "exitCode" not in first["detail"]["containers"][0]
    detail = last["detail"]
    assert {"startedAt", "stoppingAt", "stoppedAt", "updatedAt", "createdAt"} <= detail.keys()
    assert (detail["stopCode"], detail["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (detail["group"], detail["launchType"]) == ("family:t", "FARGATE")
    assert detail["clusterArn"].endswith(":cluster/c")
    assert detail["taskDefinitionArn"].rpartition(":")[0].endswith(":task-definition/t")
    [container] = detail["containers"]
    assert (container["name"], container["exitCode"], container["lastStatus"]) == ("main", 3, "STOPPED")
    assert "reason" not in container
    assert "stoppedAt" not in events[-2]["detail"]
    described = aws.ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]
    assert (described["version"], described["stopCode"]) == (6, "EssentialContainerExited")


def test_killed_container(aws: Aws, docker: ContainerEngine, told: Told, run: Callable[..., str]) -> None:
    """SIGKILL from outside looks like any exit: code 137 and no reason of the container's."""
    task = run(FOREVER)
    aws.described(task, lambda found: found["lastStatus"] == "RUNNING")
    name = f"overtime-{task.rpartition('/')[2]}-main"
    subprocess.run(["docker", "--host", docker.host, "kill", name], check=True, capture_output=True)
    detail = told(task, 6)[-1]["detail"]
    assert (detail["stopCode"], detail["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert detail["containers"][0]["exitCode"] == 137
    assert "reason" not in detail["containers"][0]


def test_stop_task(aws: Aws, told: Told, run: Callable[..., str]) -> None:
    """The desired status is told when StopTask is called, the end when the container has ended; once each."""
    task = run(FOREVER, stopTimeout=2)
    aws.described(task, lambda found: found["lastStatus"] == "RUNNING")
    asked = aws.ecs.stop_task(cluster="c", task=task, reason="cancelled by the user")["task"]
    assert (asked["stopCode"], asked["stoppedReason"]) == ("UserInitiated", "cancelled by the user")
    events = told(task, 6)
    assert told_states(events) == RUNS_AND_STOPS
    versions = [event["detail"]["version"] for event in events]
    assert versions == sorted(set(versions))
    assert {event["detail"]["stopCode"] for event in events[3:]} == {"UserInitiated"}
    assert events[-1]["detail"]["stoppedReason"] == "cancelled by the user"


def test_no_capacity(aws: Aws, told: Told, run: Callable[..., str]) -> None:
    """A task that never starts has stop code, reason, and no exit code anywhere."""
    reason = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
    aws.emulator.set_faults([{"times": 1, "fail_to_start": {"code": "TaskFailedToStart", "reason": reason}}])
    task = run("pass")
    events = told(task, 4)
    assert told_states(events) == [("PROVISIONING", "RUNNING"), ("PROVISIONING", "STOPPED"), *STOPS]
    detail = events[-1]["detail"]
    assert (detail["stopCode"], detail["stoppedReason"]) == ("TaskFailedToStart", reason)
    assert "exitCode" not in detail["containers"][0]
    assert "startedAt" not in detail
    assert "exitCode" not in aws.stopped(task)["containers"][0]


def test_spot_reclaim(aws: Aws, told: Told, run: Callable[..., str]) -> None:
    """A task on Spot capacity says so; its reclaim is told before the container has ended, and gives it SIGTERM."""
    spot = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
    with pytest.raises(ClientError, match="not associated with the cluster"):
        run("pass", call=spot)
    providers = {"capacityProviders": ["FARGATE", "FARGATE_SPOT"], "defaultCapacityProviderStrategy": []}
    aws.ecs.put_cluster_capacity_providers(cluster="c", **providers)
    script = (
        "import sys, signal, time\n"
        "signal.signal(15, lambda *_: (time.sleep(2), sys.exit(9)))\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    )
    task = run(script, call=spot)
    described = aws.described(task, lambda found: found["lastStatus"] == "RUNNING")
    assert (described["capacityProviderName"], described["launchType"]) == ("FARGATE_SPOT", "FARGATE")
    while not aws.output(task):
        time.sleep(0.1)
    interruption: Stop = {"code": "SpotInterruption", "reason": "Your Spot Task was interrupted."}
    aws.emulator.set_faults([{"contains": task, "times": 1, "stop": interruption}])
    early = told(task, 4)
    assert told_states(early) == [*RUNS, ("RUNNING", "STOPPED")]
    assert "exitCode" not in early[-1]["detail"]["containers"][0]
    detail = told(task, 6)[-1]["detail"]
    assert (detail["stopCode"], detail["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")
    assert (detail["containers"][0]["exitCode"], detail["capacityProviderName"]) == (9, "FARGATE_SPOT")


def test_host_failure(aws: Aws, told: Told, run: Callable[..., str]) -> None:
    """A host that is gone kills the task at once, and nobody knows an exit code."""
    failure: Stop = {"code": "InfrastructureHealth", "reason": "The host is gone.", "kill": True}
    aws.emulator.set_faults([{"times": 1, "stop": {**failure, "without_exit_code": True}}])
    detail = told(run(FOREVER), 6)[-1]["detail"]
    assert (detail["stopCode"], detail["lastStatus"]) == ("InfrastructureHealth", "STOPPED")
    assert "exitCode" not in detail["containers"][0]


def test_deliveries_on_order(aws: Aws, told: Told, run: Callable[..., str]) -> None:
    """Events get lost, come twice, late, and without exit code, where a rule says so."""
    aws.emulator.set_faults(
        [
            {"contains": '"lastStatus": "PENDING", "desiredStatus"', "times": 1, "deliver": {"drop": True}},
            {"contains": "DEPROVISIONING", "times": 1, "deliver": {"delay_seconds": 2}},
            {"contains": "stoppedAt", "times": 1, "deliver": {"repeat": 1, "without_exit_code": True}},
        ]
    )
    events = told(run("pass"), 6)
    assert told_states(events) == [
        ("PROVISIONING", "RUNNING"),
        ("RUNNING", "RUNNING"),
        ("RUNNING", "STOPPED"),
        ("STOPPED", "STOPPED"),
        ("STOPPED", "STOPPED"),
        ("DEPROVISIONING", "STOPPED"),
    ]
    assert events[3]["id"] == events[4]["id"]
    assert all("exitCode" not in event["detail"]["containers"][0] for event in events[3:5])
    aws.emulator.set_faults([])
