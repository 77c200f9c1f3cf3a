"""One emulator that enforces IAM, for all its tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local import base_images
from local.emulator import Emulator, EmulatorSettings
from local.emulator.testkit import Aws
from local.stack import with_containers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine


@pytest.fixture(scope="session")
def aws(docker: ContainerEngine, base: BaseImage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Give an emulator that enforces IAM, with a cluster and roles."""
    settings = EmulatorSettings(
        state_folder=tmp_path_factory.mktemp("emulator"),
        enforce_iam=True,
        retry_base_seconds=0.1,
        record_calls=True,
        schedule_seconds_per_minute=1,
        delay_seconds_per_minute=6,
        interpreters=base_images.interpreters("nodejs22.x", print),
    )
    with Emulator(with_containers(settings, docker, base)) as emulator:
        aws = Aws(emulator)
        aws.ecs.create_cluster(clusterName="c")
        aws.logs.create_log_group(logGroupName="/tasks")
        aws.role("execution", "ecr:*", "logs:*")
        aws.role("task", "sqs:ListQueues")
        aws.role("fn", "sqs:*", "logs:*", "s3:*")
        yield aws


@pytest.fixture
def run(aws: Aws, base: BaseImage) -> Callable[..., str]:
    """Register a task definition for a Python script and start it."""

    def start(
        script: str,
        *,
        image: str = base.reference,
        task: dict[str, Any] | None = None,
        call: dict[str, Any] | None = None,
        **more: Any,
    ) -> str:
        container = {
            "name": "main",
            "image": image,
            "entryPoint": ["python3", "-c"],
            "command": [script],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/tasks",
                    "awslogs-region": aws.emulator.settings.region,
                    "awslogs-stream-prefix": "t",
                },
            },
            **more,
        }
        roles = {"taskRoleArn": aws.role_arn("task"), "executionRoleArn": aws.role_arn("execution")}
        sizes = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
        aws.ecs.register_task_definition(family="t", containerDefinitions=[container], **sizes, **roles, **(task or {}))
        started = aws.ecs.run_task(**{"cluster": "c", "taskDefinition": "t", **(call or {"launchType": "FARGATE"})})
        return str(started["tasks"][0]["taskArn"])

    return start
