"""The Fargate task of a run: task definition, execution role, and the runner's permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from overtime.components import policies
from overtime.components.documents import written, written_later
from overtime.contract import variables
from overtime.contract.task import CONTAINER_NAME

if TYPE_CHECKING:
    from overtime import settings
    from overtime.components.platform import Platform
    from overtime.components.primary import FileSystem, Primary

FUNCTION_TAG = "overtime:function"
"""Tag of every task, copied from its definition, so that the account's bill distinguishes functions."""
RUNNER_USER = "993:990"
"""The user that the Dockerfile creates, and that owns the volumes."""
WRITABLE = {"tmp": "/tmp", "task": "/var/task", "opt": "/opt"}  # noqa: S108 - Lambda's own folders
_CPU_ARCHITECTURES = {"x86_64": "X86_64", "arm64": "ARM64"}


@dataclass(frozen=True, kw_only=True)
class RunnerTaskArgs:
    """Arguments of `RunnerTask`."""

    function: Primary
    """The function whose runs the task executes."""
    options: settings.Function
    """The function's settings."""
    platform: Platform
    """Image, ledger and region."""


class RunnerTask(pulumi.ComponentResource):
    """The task definition of one function; a new task size replaces the definition and changes nothing else."""

    family: str
    execution_role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: RunnerTaskArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:RunnerTask", name, {}, opts)

        execution = self._execution_role(name, args)
        self._permit_runner(name, args)
        # The dispatcher starts the newest revision of the family, so the name must be known before any revision exists.
        self.family = args.function.name
        self._definition(name, args, execution)

        self.execution_role_arn = execution.arn
        self.register_outputs({"family": self.family, "execution_role_arn": self.execution_role_arn})

    def _execution_role(self, name: str, args: RunnerTaskArgs) -> aws.iam.Role:
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-execution-role",
            description=f"Lets ECS pull the image and write the log for tasks of {args.function.name}",
            assume_role_policy=written(policies.execution_trust()),
            opts=child,
        )
        document = policies.rendered(
            policies.execution,
            repository_arn=args.platform.repository_arn,
            log_group_arn=args.function.log_group_arn,
        )
        aws.iam.RolePolicy(f"{name}-execution-permissions", role=role.name, policy=document, opts=child)
        return role

    def _permit_runner(self, name: str, args: RunnerTaskArgs) -> None:
        ledger = args.platform.ledger
        document = policies.rendered(
            policies.runner,
            function_name=args.function.name,
            function_arn=args.function.arn,
            layer_arns=list(args.options.layers),
            table_arn=ledger.table_arn,
            bucket_arn=ledger.bucket_arn,
        )
        role = args.function.role_name
        aws.iam.RolePolicy(f"{name}-runner", role=role, policy=document, opts=pulumi.ResourceOptions(parent=self))

    def _definition(self, name: str, args: RunnerTaskArgs, execution: aws.iam.Role) -> None:
        task = args.options.task
        aws.ecs.TaskDefinition(
            f"{name}-definition",
            family=self.family,
            cpu=str(task.cpu),
            memory=str(task.memory_mib),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                operating_system_family="LINUX", cpu_architecture=_CPU_ARCHITECTURES[args.options.architecture]
            ),
            ephemeral_storage=aws.ecs.TaskDefinitionEphemeralStorageArgs(size_in_gib=task.ephemeral_gib),
            execution_role_arn=execution.arn,
            task_role_arn=args.function.role_arn,
            volumes=[
                *(aws.ecs.TaskDefinitionVolumeArgs(name=volume) for volume in WRITABLE),
                *(_volume(i, each) for i, each in enumerate(args.function.file_systems)),
            ],
            container_definitions=self._container(args),
            tags={FUNCTION_TAG: args.function.name},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _container(self, args: RunnerTaskArgs) -> pulumi.Output[str]:
        platform, options = args.platform, args.options
        environment = {
            "AWS_REGION": platform.region,
            variables.FUNCTION_ARN: args.function.arn,
            variables.LEDGER_BUCKET: platform.ledger.bucket_name,
            variables.LEDGER_TABLE: platform.ledger.table_name,
            variables.MAX_RUNTIME_SECONDS: str(options.max_runtime),
            # The runner needs the rest of the stop timeout to record the outcome.
            variables.STOP_SECONDS: str(options.task.stop_timeout_seconds * 5 // 6),
        }
        mounted = WRITABLE | {_volume_name(i): each.path for i, each in enumerate(args.function.file_systems)}
        container = {
            "name": CONTAINER_NAME,
            "image": platform.image_uris[options.runtime, options.architecture],
            "essential": True,
            "user": RUNNER_USER,
            "readonlyRootFilesystem": True,
            "linuxParameters": {"initProcessEnabled": True},
            "stopTimeout": options.task.stop_timeout_seconds,
            "mountPoints": [
                {"sourceVolume": volume, "containerPath": path, "readOnly": False} for volume, path in mounted.items()
            ],
            "environment": [{"name": key, "value": value} for key, value in environment.items()],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": args.function.log_group_name,
                    "awslogs-region": platform.region,
                    "awslogs-stream-prefix": "overtime",
                    # Explicit, because the default depends on the account: a handler must not block on CloudWatch, and
                    # a burst of output fits into the buffer until CloudWatch has accepted it.
                    "mode": "non-blocking",
                    "max-buffer-size": "25m",
                },
            },
        }
        return written_later([container])


def _volume_name(index: int) -> str:
    return f"file-system-{index}"


def _volume(index: int, mounted: FileSystem) -> aws.ecs.TaskDefinitionVolumeArgs:
    """Return the volume of a file system that is mounted as on Lambda: through its access point, with TLS and IAM."""
    return aws.ecs.TaskDefinitionVolumeArgs(
        name=_volume_name(index),
        efs_volume_configuration=aws.ecs.TaskDefinitionVolumeEfsVolumeConfigurationArgs(
            file_system_id=mounted.id,
            transit_encryption="ENABLED",
            authorization_config=aws.ecs.TaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfigArgs(
                access_point_id=mounted.access_point_arn.rpartition("/")[2], iam="ENABLED"
            ),
        ),
    )
