"""The IAM documents for a function's own environment, as pure functions: its VPC, file systems, key and tracing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.components.statements import allow, document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overtime import settings
    from overtime.components.statements import Document, Statement

_CHANGE_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
)
_SEND_TRACES = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
_SEE_INTERFACES = ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")


def function_arn_of(ecs_arn_prefix: str, function_name: str) -> str:
    """Return the ARN that a function will have, from `arn:<partition>:ecs:<region>:<account>`.

    AWS checks the policies of a function's role when it creates the function, so they cannot take the ARN from it.
    """
    _, partition, _, region, account = ecs_arn_prefix.split(":")
    return f"arn:{partition}:lambda:{region}:{account}:function:{function_name}"


def needed(options: settings.Function) -> bool:
    """Return whether a function's environment needs any permission."""
    # File systems need a VPC.
    return bool(options.vpc.subnet_ids or options.kms_key_arn or options.tracing == "active")


def environment(
    *, ecs_arn_prefix: str, function_name: str, options: settings.Function, file_system_arns: Sequence[str]
) -> Document:
    """Return the policy that a function's environment needs: its VPC, file systems, the key of its variables, tracing.

    `file_system_arns` has the file system of each of the settings' access points.
    """
    function_arn = function_arn_of(ecs_arn_prefix, function_name)
    return document(
        [
            *(_in_vpc(ecs_arn_prefix, function_arn) if options.vpc.subnet_ids else []),
            *(
                _mount(f"MountFileSystem{i}", arn, each.access_point_arn)
                for i, (arn, each) in enumerate(zip(file_system_arns, options.file_systems, strict=True))
            ),
            *([_decrypt_variables(options.kms_key_arn, function_arn)] if options.kms_key_arn else []),
            # X-Ray has no resources to name here. What AWSXRayDaemonWriteAccess adds is for sampling by SDKs.
            *([allow("SendTraces", _SEND_TRACES, ["*"])] if options.tracing == "active" else []),
        ]
    )


def _in_vpc(ecs_arn_prefix: str, function_arn: str) -> list[Statement]:
    """Return the statements by which Lambda attaches a function: what AWSLambdaVPCAccessExecutionRole allows.

    Unlike that managed policy, they allow nothing in other regions, accounts and log groups. Lambda itself uses the
    permissions, so they are denied to the function's code:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    _, partition, _, region, account = ecs_arn_prefix.split(":")
    by_code = {"ArnEquals": {"lambda:SourceFunctionArn": function_arn}}
    every = (*_CHANGE_INTERFACES, *_SEE_INTERFACES)
    return [
        allow("AttachToVpc", _CHANGE_INTERFACES, [f"arn:{partition}:ec2:{region}:{account}:*/*"]),
        # These actions have no resource.
        allow("SeeVpc", _SEE_INTERFACES, ["*"]),
        {**allow("NotForTheCode", every, ["*"], by_code), "Effect": "Deny"},
    ]


def _mount(sid: str, file_system_arn: str, access_point_arn: str) -> Statement:
    """Return the permission to mount a file system through one access point, for Lambda and for the task."""
    through = {"StringEquals": {"elasticfilesystem:AccessPointArn": access_point_arn}}
    return allow(sid, ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"], [file_system_arn], through)


def _decrypt_variables(key_arn: str, function_arn: str) -> Statement:
    """Return the permission that Lambda needs to start the function, and GetFunction to tell the runner its variables.

    Lambda encrypts them with the function's ARN as context, so the key decrypts nothing else for this role:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
    """
    of_function = {"StringEquals": {"kms:EncryptionContext:aws:lambda:FunctionArn": function_arn}}
    return allow("DecryptVariables", ["kms:Decrypt"], [key_arn], of_function)
