"""The user's function: code, role, log group, retry settings, and the queue for its failed events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from overtime.components import archives, environment_policies, policies
from overtime.components.documents import written
from overtime.components.primary import FileSystem
from overtime.contract.log_groups import log_group_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from overtime import settings
    from overtime.components.code_store import CodeStore

_TRACING = {"active": "Active", "pass_through": "PassThrough"}
_LOG_FORMATS = {"text": "Text", "json": "JSON"}


@dataclass(frozen=True, kw_only=True)
class PrimaryFunctionArgs:
    """Arguments of `PrimaryFunction`."""

    function_name: str
    """Its name in AWS."""
    options: settings.Function
    """Its settings."""
    root: Path
    """The folder to which `code` is relative."""
    logs_days: int
    """Retention of its log group."""
    failure_queue_arn: pulumi.Input[str]
    """The queue to which Lambda sends events when it gives up on them."""
    code_store: CodeStore | None = None
    """Where its code is uploaded if that does not fit a request; None if it does."""
    ecs_arn_prefix: pulumi.Input[str]
    """`arn:<partition>:ecs:<region>:<account>`, the prefix of the ARNs of tasks that assume its role."""


class PrimaryFunction(pulumi.ComponentResource):
    """The primary: an ordinary Lambda function whose role is also its tasks' role."""

    name: str
    arn: pulumi.Output[str]
    role_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    log_group_arn: pulumi.Output[str]

    def __init__(self, name: str, args: PrimaryFunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:PrimaryFunction", name, {}, opts)

        logs = self._log_group(name, args)
        self.vpc = args.options.vpc
        self.file_systems: Sequence[FileSystem] = self._file_systems(args)
        role, permitted = self._role(name, args, logs)
        function = self._function(name, args, role, [logs, *permitted])
        self._retries(name, args, function)

        self.name, self.arn = args.function_name, function.arn
        self.role_name, self.role_arn = role.name, role.arn
        self.log_group_name, self.log_group_arn = logs.name, logs.arn
        self.register_outputs({"arn": self.arn, "role_arn": self.role_arn, "log_group_name": self.log_group_name})

    def _log_group(self, name: str, args: PrimaryFunctionArgs) -> aws.cloudwatch.LogGroup:
        return aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=log_group_of(args.function_name),
            retention_in_days=args.logs_days,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _role(
        self, name: str, args: PrimaryFunctionArgs, logs: aws.cloudwatch.LogGroup
    ) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-role",
            description=f"{args.function_name}, on Lambda and on Fargate",
            assume_role_policy=policies.rendered(policies.function_and_task_trust, ecs_arn_prefix=args.ecs_arn_prefix),
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            f"{name}-permissions",
            role=role.name,
            policy=pulumi.Output.all(logs.arn, args.failure_queue_arn).apply(
                lambda arns: written(
                    policies.primary(log_group_arn=arns[0], queue_arn=arns[1], permissions=args.options.permissions)
                )
            ),
            opts=child,
        )
        managed = [
            aws.iam.RolePolicyAttachment(f"{name}-policy-{i}", role=role.name, policy_arn=arn, opts=child)
            for i, arn in enumerate(args.options.policy_arns)
        ]
        return role, [policy, *managed, *self._environment_policies(name, args, role)]

    def _file_systems(self, args: PrimaryFunctionArgs) -> list[FileSystem]:
        """Look up the file systems behind the access points: a task definition needs their ids, too."""
        found = []
        for each in args.options.file_systems:
            access_point = aws.efs.get_access_point_output(
                access_point_id=each.access_point_arn.rpartition("/")[2], opts=pulumi.InvokeOutputOptions(parent=self)
            )
            system = FileSystem(
                id=access_point.file_system_id,
                arn=access_point.file_system_arn,
                access_point_arn=each.access_point_arn,
                path=each.path,
            )
            found.append(system)
        return found

    def _environment_policies(self, name: str, args: PrimaryFunctionArgs, role: aws.iam.Role) -> list[pulumi.Resource]:
        if not environment_policies.needed(args.options):
            return []
        document = pulumi.Output.all(args.ecs_arn_prefix, *(each.arn for each in self.file_systems)).apply(
            lambda known: written(
                environment_policies.environment(
                    ecs_arn_prefix=known[0],
                    function_name=args.function_name,
                    options=args.options,
                    file_system_arns=known[1:],
                )
            )
        )
        child = pulumi.ResourceOptions(parent=self)
        return [aws.iam.RolePolicy(f"{name}-environment", role=role.name, policy=document, opts=child)]

    def _function(
        self, name: str, args: PrimaryFunctionArgs, role: aws.iam.Role, first: list[pulumi.Resource]
    ) -> aws.lambda_.Function:
        options, package = args.options, args.root / args.options.code
        stored = args.code_store.put(args.function_name, package) if args.code_store else None
        variables = {key: pulumi.Output.secret(value.get_secret_value()) for key, value in options.environment.items()}
        return aws.lambda_.Function(
            f"{name}-function",
            name=args.function_name,
            role=role.arn,
            code=None if stored else archives.code(package),
            s3_bucket=stored.bucket if stored else None,
            s3_key=stored.key if stored else None,
            s3_object_version=stored.version if stored else None,
            handler=options.handler,
            runtime=options.runtime,
            architectures=[options.architecture],
            timeout=options.timeout_seconds,
            memory_size=options.memory_mib,
            layers=list(options.layers),
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=variables) if variables else None,
            file_system_config=_file_system(options.file_systems),
            kms_key_arn=options.kms_key_arn,
            vpc_config=_vpc(options.vpc),
            # Always given, because without them the provider would keep what is there.
            ephemeral_storage=aws.lambda_.FunctionEphemeralStorageArgs(size=options.ephemeral_storage_mib),
            tracing_config=aws.lambda_.FunctionTracingConfigArgs(mode=_TRACING[options.tracing]),
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format=_LOG_FORMATS[options.log_format]),
            dead_letter_config=aws.lambda_.FunctionDeadLetterConfigArgs(target_arn=args.failure_queue_arn),
            # With a concurrency of 0, Lambda sends every asynchronous event to the queue without an attempt.
            reserved_concurrent_executions=None if options.attempts else 0,
            # Lambda rejects a dead-letter queue unless the role may already send to it.
            opts=pulumi.ResourceOptions(parent=self, depends_on=first),
        )

    def _retries(self, name: str, args: PrimaryFunctionArgs, function: aws.lambda_.Function) -> None:
        aws.lambda_.FunctionEventInvokeConfig(
            f"{name}-retries",
            function_name=function.name,
            maximum_retry_attempts=max(args.options.attempts - 1, 0),
            maximum_event_age_in_seconds=args.options.max_event_age,
            opts=pulumi.ResourceOptions(parent=self),
        )


def _vpc(vpc: settings.Vpc) -> aws.lambda_.FunctionVpcConfigArgs | None:
    if not vpc.subnet_ids:
        return None
    return aws.lambda_.FunctionVpcConfigArgs(
        subnet_ids=list(vpc.subnet_ids), security_group_ids=list(vpc.security_group_ids)
    )


def _file_system(mounted: Sequence[settings.FileSystem]) -> aws.lambda_.FunctionFileSystemConfigArgs | None:
    # Lambda mounts one at most.
    for each in mounted:
        return aws.lambda_.FunctionFileSystemConfigArgs(arn=each.access_point_arn, local_mount_path=each.path)
    return None
