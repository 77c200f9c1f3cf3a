"""Dispatcher and watcher as Lambda functions: log group, role with its policies, and code with libraries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pulumi
import pulumi_aws as aws

from overtime.components import archives, lambda_archive, policies
from overtime.components.documents import written
from overtime.contract.log_groups import log_group_of
from overtime.contract.runtimes import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from overtime.contract import metrics

_MEMORY_MIB = 512  # determines the CPU share, and thus how fast the libraries load


@dataclass(frozen=True, kw_only=True)
class OwnFunctionArgs:
    """Arguments of `own_function`."""

    part: metrics.Service
    """Dispatcher or watcher; the value is the folder of its code in `lambdas/`."""
    function_name: str
    """Its name in AWS; fixed, because its log group must exist, with a retention, before Lambda creates one."""
    role_description: str
    """Description of its role in IAM."""
    logs_days: int
    """Retention of its log group."""
    permissions: Callable[[pulumi.Output[str]], pulumi.Output[str]]
    """Returns the policy of its role, given the ARN of its log group."""
    more_permissions: Sequence[pulumi.Output[str]] = ()
    """Further policies, for what does not fit into the first one."""
    timeout_seconds: int
    """Its timeout on Lambda."""
    variables: Mapping[str, pulumi.Input[str]]
    """Its environment variables, except those for its metrics."""
    file: tuple[str, pulumi.Output[str]] | None = None
    """Name and content of a file beside its code."""


class OwnFunction(NamedTuple):
    """The resources that `own_function` created."""

    function: aws.lambda_.Function
    role: aws.iam.Role
    log_group: aws.cloudwatch.LogGroup


def own_function(name: str, args: OwnFunctionArgs, parent: pulumi.Resource) -> OwnFunction:
    """Create a function, its role and its log group as children of `parent`."""
    logs = aws.cloudwatch.LogGroup(
        f"{name}-logs",
        name=log_group_of(args.function_name),
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
