# ruff: noqa: FBT003 -- some settings are switches
"""Every setting, and where it arrives: with a task or its dispatcher, or elsewhere for a reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.infra.handing_over import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUE_ARN, TOPIC_ARN = "arn:aws:sqs:eu-west-1:123456789012:reports-done", "arn:aws:sns:eu-west-1:123456789012:on-call"
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/0123abcd-0123-4567-89ab-0123456789ab"
LAYER_ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:pandas:7"


@dataclass(frozen=True)
class Arrives:
    """A setting that a task or its dispatcher needs."""

    value: object
    """Its value in the golden test."""
    other: object
    """Another value."""
    at: set[str]
    """Everything in `HandedOver` that changes with it."""
    beside: Mapping[str, object] = field(default_factory=dict)
    """Other settings, for one that the golden test does not have because others would have no effect."""


@dataclass(frozen=True)
class Elsewhere:
    """A setting that rightly reaches neither a task nor its dispatcher."""

    other: object
    """A value other than its default."""
    why: str
    beside: Mapping[str, object] = field(default_factory=dict)
    """Other settings without which it is refused."""


ACCESS_POINT = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef"
VPC = {"functions.<key>.vpc.subnet_ids": ["subnet-0d"], "functions.<key>.vpc.security_group_ids": ["sg-0d"]}
CONTAINER = "definition.containerDefinitions.runner"
ARRIVES: Mapping[str, Arrives] = {
    # The only one at its default in the golden test: with false there is no request.
    "functions.<key>.enabled": Arrives(True, False, {"environment.OVERTIME_RESCUE", "request"}),
    "functions.<key>.runtime": Arrives(
        "python3.12", "python3.14", {f"{CONTAINER}.image", "image.base", "image.runtime"}
    ),
    "functions.<key>.architecture": Arrives(
        "arm64", "x86_64", {f"{CONTAINER}.image", "definition.runtimePlatform.cpuArchitecture", "image.platform"}
    ),
    "functions.<key>.attempts": Arrives(2, 1, {"environment.OVERTIME_ATTEMPTS"}),
    "functions.<key>.rescue": Arrives(["timeout"], "any", {"environment.OVERTIME_RESCUE"}),
    "functions.<key>.max_runtime": Arrives("6h", "7h", {f"{CONTAINER}.environment.OVERTIME_MAX_RUNTIME_SECONDS"}),
    "functions.<key>.max_receive_count": Arrives(7, 8, {"environment.OVERTIME_MAX_RECEIVE_COUNT"}),
    "functions.<key>.max_concurrent_runs": Arrives(3, None, {"environment.OVERTIME_MAX_CONCURRENT_RUNS"}),
    "functions.<key>.task.cpu": Arrives(2048, 4096, {"definition.cpu"}),
    "functions.<key>.task.memory_mib": Arrives(8192, 16384, {"definition.memory"}),
    "functions.<key>.task.ephemeral_gib": Arrives(50, 60, {"definition.ephemeralStorage.sizeInGib"}),
    "functions.<key>.task.stop_timeout_seconds": Arrives(
        60, 30, {f"{CONTAINER}.stopTimeout", f"{CONTAINER}.environment.OVERTIME_STOP_SECONDS"}
    ),
    "functions.<key>.task.capacity": Arrives(
        "spot",
        "on_demand",
        {
            "environment.OVERTIME_CAPACITY",
            "request.capacityProviderStrategy",
            "request.clientToken",
            "request.launchType",
        },
    ),
    "network.subnet_ids": Arrives(
        ["subnet-0a", "subnet-0b"],
        ["subnet-0b"],
        {"environment.OVERTIME_RUN_TASK", "request.networkConfiguration.awsvpcConfiguration.subnets"},
    ),
    "network.security_group_ids": Arrives(
        ["sg-0a", "sg-0b"],
        ["sg-0b"],
        {"environment.OVERTIME_RUN_TASK", "request.networkConfiguration.awsvpcConfiguration.securityGroups"},
    ),
    "network.assign_public_ip": Arrives(
        True,
        False,
        {"environment.OVERTIME_RUN_TASK", "request.networkConfiguration.awsvpcConfiguration.assignPublicIp"},
    ),
    "functions.<key>.vpc.subnet_ids": Arrives(
        ["subnet-0d"],
        ["subnet-0e"],
        {"environment.OVERTIME_RUN_TASK", "request.networkConfiguration.awsvpcConfiguration.subnets"},
        beside=VPC,
    ),
    "functions.<key>.vpc.security_group_ids": Arrives(
        ["sg-0d"],
        ["sg-0e"],
        {"environment.OVERTIME_RUN_TASK", "request.networkConfiguration.awsvpcConfiguration.securityGroups"},
        beside=VPC,
    ),
    "functions.<key>.file_systems": Arrives(
        [{"access_point_arn": f"{ACCESS_POINT}0", "path": "/mnt/data"}],
        [{"access_point_arn": f"{ACCESS_POINT}1", "path": "/mnt/other"}],
        {
            f"{CONTAINER}.mountPoints",
            "definition.volumes.file-system-0.efsVolumeConfiguration.authorizationConfig.accessPointId",
            "definition.volumes.file-system-0.efsVolumeConfiguration.fileSystemId",
        },
        beside=VPC,
    ),
    "retention.runs_days": Arrives(60, 70, {"environment.OVERTIME_RUNS_DAYS"}),
    "image.base_images": Arrives(
        {"python3.12": "mirror.example.com/python:3.12"}, {"python3.12": "mirror.example.com/python:3"}, {"image.base"}
    ),
    "image.python_image": Arrives("mirror.example.com/python:3.13", "mirror.example.com/python:3", {"image.python"}),
    "tags": Arrives({"owner": "reports"}, {"owner": "sales"}, {"definition.tags.owner"}),
}

_FROM_LAMBDA = "the runner reads the deployed function's own configuration from Lambda"
_OF_ATTEMPTS_ON_LAMBDA = "limits the attempts on Lambda, not a run on Fargate"
_OF_THE_ROLE = "a task has the function's role"
_OF_THE_WATCHER = "the watcher alone uses it"
_OF_THE_VPC = "a task gets the subnets of the VPC that is made, whatever its range"
_FOR_PEOPLE = "shows people how runs are doing"
ELSEWHERE: Mapping[str, Elsewhere] = {
    "functions.<key>.code": Elsewhere("other", _FROM_LAMBDA),
    "functions.<key>.handler": Elsewhere("handler.other", _FROM_LAMBDA),
    "functions.<key>.memory_mib": Elsewhere(1024, _FROM_LAMBDA),
    "functions.<key>.environment": Elsewhere({"TOKEN": "t0ps3cret"}, _FROM_LAMBDA),
    "functions.<key>.kms_key_arn": Elsewhere(KEY_ARN, _FROM_LAMBDA),
    "functions.<key>.log_format": Elsewhere("json", _FROM_LAMBDA),
    "functions.<key>.tracing": Elsewhere("active", "a task sends no traces"),
    "functions.<key>.ephemeral_storage_mib": Elsewhere(1024, "the task's disk is larger than any /tmp on Lambda"),
    "functions.<key>.layers": Elsewhere([LAYER_ARN], _FROM_LAMBDA),
    "functions.<key>.timeout_seconds": Elsewhere(60, _OF_ATTEMPTS_ON_LAMBDA),
    "functions.<key>.max_event_age": Elsewhere("1h", _OF_ATTEMPTS_ON_LAMBDA),
    "functions.<key>.permissions": Elsewhere([{"actions": ["s3:GetObject"], "resources": ["*"]}], _OF_THE_ROLE),
    "functions.<key>.policy_arns": Elsewhere(["arn:aws:iam::aws:policy/ReadOnlyAccess"], _OF_THE_ROLE),
    "functions.<key>.max_task_attempts": Elsewhere(5, _OF_THE_WATCHER),
    "functions.<key>.destinations.on_success": Elsewhere(QUEUE_ARN, _OF_THE_WATCHER),
    "functions.<key>.destinations.on_failure": Elsewhere(QUEUE_ARN, _OF_THE_WATCHER),
    "functions.<key>.destinations.kms_key_arns": Elsewhere(
        [KEY_ARN], _OF_THE_WATCHER, {"functions.<key>.destinations.on_success": QUEUE_ARN}
    ),
    "functions.<key>.alarms.longest_run": Elsewhere("2h", _FOR_PEOPLE),
    "functions.<key>.alarms.longest_wait": Elsewhere("2h", _FOR_PEOPLE),
    "network.cidr": Elsewhere("10.43.0.0/16", _OF_THE_VPC),
    "network.availability_zones": Elsewhere(3, _OF_THE_VPC),
    "retention.logs_days": Elsewhere(60, "the log groups alone have it"),
    "retention.force_destroy": Elsewhere(True, "only `pulumi destroy` depends on it"),
    "cluster.container_insights": Elsewhere(True, "ECS collects metrics without the task's help"),
    "alarms.enabled": Elsewhere(False, _FOR_PEOPLE),
    "alarms.action_arns": Elsewhere([TOPIC_ARN], _FOR_PEOPLE),
    "alarms.ticket_arns": Elsewhere([TOPIC_ARN], _FOR_PEOPLE),
    "alarms.skipped": Elsewhere(False, _FOR_PEOPLE),
    "alarms.manual_url": Elsewhere("https://wiki.example.com/overtime", _FOR_PEOPLE),
    "dashboard.enabled": Elsewhere(False, _FOR_PEOPLE),
}

REQUIRED = {"functions.<key>.code": ".", "functions.<key>.handler": "handler.handler"}
GOLDEN = REQUIRED | {path: setting.value for path, setting in ARRIVES.items() if not setting.beside}


def nested(settings: Mapping[str, object]) -> dict[str, Any]:
    """Build the mapping that `parse` takes from settings by their paths."""
    whole: dict[str, Any] = {}
    for path, value in settings.items():
        *sections, name = path.replace("<key>", KEY).split(".")
        section = whole
        for each in sections:
            section = section.setdefault(each, {})
        section[name] = value
    return whole
