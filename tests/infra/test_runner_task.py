from __future__ import annotations

import re
from typing import TYPE_CHECKING

from overtime.components.archives import SOURCES
from overtime.components.runner_task import RUNNER_USER, WRITABLE
from overtime.runner.image import base_files

if TYPE_CHECKING:
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

ACCESS_POINT = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0"
VPC = {"subnet_ids": ["subnet-0a"], "security_group_ids": ["sg-0a"]}
DEFINITION = "report-task-definition"


def test_definition(deploy: Deploy, recorder: Recorder) -> None:
    """The task has the size that the settings say, the function's role, and three folders to write to."""
    deploy({"report": {"task": {"cpu": 2048, "memory_mib": 8192, "ephemeral_gib": 50}}})

    inputs = recorder.inputs("TaskDefinition", DEFINITION)
    del inputs["containerDefinitions"]
    assert inputs == {
        "family": "overtime-test-report",
        "cpu": "2048",
        "memory": "8192",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "X86_64"},
        "ephemeralStorage": {"sizeInGib": 50},
        "executionRoleArn": "arn:aws:iam::123456789012:role/report-task-execution-role-0a1b2c3",
        "taskRoleArn": "arn:aws:iam::123456789012:role/report-role-0a1b2c3",
        "volumes": [{"name": "tmp"}, {"name": "task"}, {"name": "opt"}],
        "tags": {"overtime:function": "overtime-test-report"},
    }


def test_container(deploy: Deploy, recorder: Recorder) -> None:
    """Not root, a root file system that nobody writes to, an init process, and the log of the function itself."""
    deploy({"report": {"task": {"stop_timeout_seconds": 60}, "max_runtime": "6h"}})

    container = recorder.container(DEFINITION)
    del container["image"], container["environment"]
    assert container == {
        "name": "runner",
        "essential": True,
        "user": "993:990",
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True},
        "stopTimeout": 60,
        "mountPoints": [
            {"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False},
            {"sourceVolume": "task", "containerPath": "/var/task", "readOnly": False},
            {"sourceVolume": "opt", "containerPath": "/opt", "readOnly": False},
        ],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/aws/lambda/overtime-test-report",
                "awslogs-region": "eu-west-1",
                "awslogs-stream-prefix": "overtime",
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }


def test_environment(deploy: Deploy, recorder: Recorder) -> None:
    """The container knows where its run is written down, how long it may take, and nothing of the function's own."""
    deploy(
        {
            "report": {
                "max_runtime": "6h",
                "task": {"stop_timeout_seconds": 60},
                "environment": {"TOKEN": "t0ps3cret"},
            }
        }
    )

    environment = {each["name"]: each["value"] for each in recorder.container(DEFINITION)["environment"]}
    assert environment == {
        "AWS_REGION": "eu-west-1",
        "OVERTIME_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:overtime-test-report",
        "OVERTIME_LEDGER_BUCKET": "overtime-ledger-objects-0a1b2c3",
        "OVERTIME_LEDGER_TABLE": "overtime-ledger-runs-0a1b2c3",
        "OVERTIME_MAX_RUNTIME_SECONDS": "21600",
        "OVERTIME_STOP_SECONDS": "50",
    }


def test_the_handler_stops_before_the_task(deploy: Deploy, recorder: Recorder) -> None:
    """Even with the shortest stop timeout, the runner has time left to write down how the run ended."""
    deploy({"report": {"task": {"stop_timeout_seconds": 2}}})

    container = recorder.container(DEFINITION)
    [seconds] = [each["value"] for each in container["environment"] if each["name"] == "OVERTIME_STOP_SECONDS"]
    assert 1 <= int(seconds) < container["stopTimeout"]


def test_image_by_digest(deploy: Deploy, recorder: Recorder) -> None:
    """The image is named by digest, so that it and only it makes a new revision."""
    outputs = deploy()

    image = recorder.container(DEFINITION)["image"]
    assert re.fullmatch(r"123456789012\.dkr\.ecr\.eu-west-1\.amazonaws\.com/[a-z0-9-]+@sha256:[0-9a-f]{64}", image)
    assert outputs["image_uris"] == {"python3.13/x86_64": image}


def test_one_architecture_for_all(deploy: Deploy, recorder: Recorder) -> None:
    """Function, image and task of each function have the architecture of one setting."""
    outputs = deploy({"report": {"architecture": "arm64"}, "sums": {}})

    for name, architecture, cpu, platform in (
        ("report", "arm64", "ARM64", "linux/arm64"),
        ("sums", "x86_64", "X86_64", "linux/amd64"),
    ):
        task = recorder.inputs("TaskDefinition", f"{name}-task-definition")
        image = f"overtime-runner-python3-13-{architecture.replace('_', '-')}-image"
        assert recorder.inputs("Function", f"{name}-function")["architectures"] == [architecture]
        assert task["runtimePlatform"]["cpuArchitecture"] == cpu
        assert recorder.inputs("index:Image", image)["platforms"] == [platform]
        digest = outputs["image_uris"][f"python3.13/{architecture}"]
        assert recorder.container(f"{name}-task-definition")["image"] == digest


def test_file_system(deploy: Deploy, recorder: Recorder) -> None:
    """A task mounts what the function mounts: the same access point, at the same path, with TLS and the task's role."""
    deploy({"report": {"vpc": VPC, "file_systems": [{"access_point_arn": ACCESS_POINT, "path": "/mnt/data"}]}})

    assert recorder.inputs("Function", "report-function")["fileSystemConfig"] == {
        "arn": ACCESS_POINT,
        "localMountPath": "/mnt/data",
    }
    volumes = recorder.inputs("TaskDefinition", "report-task-definition")["volumes"]
    assert volumes[len(WRITABLE) :] == [
        {
            "name": "file-system-0",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-0123456789abcdef0",
                "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": "fsap-0123456789abcdef0", "iam": "ENABLED"},
            },
        }
    ]
    mounted = recorder.container("report-task-definition")["mountPoints"][len(WRITABLE) :]
    assert mounted == [{"sourceVolume": "file-system-0", "containerPath": "/mnt/data", "readOnly": False}]


def test_user_of_the_image() -> None:
    """The task runs as the user that the image's build makes and that owns the volumes."""
    dockerfile = (SOURCES / "runner" / "Dockerfile").read_text()
    assert f"USER {RUNNER_USER}\n" in dockerfile
    assert f"--chown={RUNNER_USER} /image/owned/ /\n" in dockerfile
    assert f":x:{RUNNER_USER}::" in base_files.USER
    assert f"--chown={RUNNER_USER} /image/owned-in-var/ /var/\n" in dockerfile


def test_volumes_of_the_image() -> None:
    """The Dockerfile declares the folders that the task mounts, so that Fargate keeps their owner."""
    dockerfile = (SOURCES / "runner" / "Dockerfile").read_text()
    assert 'VOLUME ["/tmp", "/var/task", "/opt"]' in dockerfile
