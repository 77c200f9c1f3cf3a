"""A Lambda function of this project's own: its log group, its role with what it may do, and its code with libraries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pulumi
import pulumi_aws as aws

from overtime.components import archives, lambda_archive, policies
from overtime.components.documents import written
from overtime.contract.runtimes import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from overtime.contract import metrics

_MEMORY_MIB = 512  # of it depends the cpu, and with it how long the libraries take to load


@dataclass(frozen=True, kw_only=True)
class OwnFunctionArgs:
    """What such a function needs to know."""

    part: metrics.Service
    """Which it is; its value is the folder of its code in `lambdas/`."""
    function_name: str
    """Its name in AWS: forced, because the log group has to be there, with its retention, before Lambda makes one."""
    role_description: str
    """Whose role it is, for people who look at IAM."""
    logs_days: int
    """Days its log is kept."""
    permissions: Callable[[pulumi.Output[str]], pulumi.Output[str]]
    """Gives the policy of its role, to which the ARN of its log group belongs."""
    more_permissions: Sequence[pulumi.Output[str]] = ()
    """Further policies, for what the first one has no room for."""
    timeout_seconds: int
    """How long Lambda lets it work."""
    variables: Mapping[str, pulumi.Input[str]]
    """Its environment, apart from namespace and service of its metrics."""
    file: tuple[str, pulumi.Output[str]] | None = None
    """Name and text of a file beside its code."""


class OwnFunction(NamedTuple):
    """What was made."""

    function: aws.lambda_.Function
    role: aws.iam.Role
    log_group: aws.cloudwatch.LogGroup


def own_function(name: str, args: OwnFunctionArgs, parent: pulumi.Resource) -> OwnFunction:
    """Make a function and what belongs to it, as children of `parent`."""
    logs = aws.cloudwatch.LogGroup(
        f"{name}-logs",
        name=f"/aws/lambda/{args.function_name}",
        retention_in_days=args.logs_days,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    role, permissions = _role(name, args, logs, parent)
    environment = {**args.variables, **args.part.variables()}
    function = aws.lambda_.Function(
        f"{name}-function",
        name=args.function_name,
        role=role.arn,
        code=_code(args),
        handler=f"overtime.lambdas.{args.part}.handler.handler",
        runtime=DEFAULT.name,
        architectures=["x86_64"],
        timeout=args.timeout_seconds,
        memory_size=_MEMORY_MIB,
        environment=aws.lambda_.FunctionEnvironmentArgs(variables=environment),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[logs, *permissions]),
    )
    return OwnFunction(function, role, logs)


def _role(
    name: str, args: OwnFunctionArgs, logs: aws.cloudwatch.LogGroup, parent: pulumi.Resource
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    child = pulumi.ResourceOptions(parent=parent)
    role = aws.iam.Role(
        f"{name}-role",
        description=args.role_description,
        assume_role_policy=written(policies.function_trust()),
        opts=child,
    )
    policy = args.permissions(logs.arn)
    permissions: list[pulumi.Resource] = [
        aws.iam.RolePolicy(f"{name}-permissions", role=role.name, policy=policy, opts=child)
    ]
    for number, document in enumerate(args.more_permissions, start=1):
        more = aws.iam.Policy(f"{name}-permissions-{number}", policy=document, opts=child)
        permissions.append(
            aws.iam.RolePolicyAttachment(f"{name}-attachment-{number}", role=role.name, policy_arn=more.arn, opts=child)
        )
    return role, permissions


def _code(args: OwnFunctionArgs) -> pulumi.Input[pulumi.Archive]:
    files = lambda_archive.members(args.part)
    if args.file is None:
        return archives.of_files(files)
    name, text = args.file
    return text.apply(lambda known: archives.of_files(files, {name: known}))
