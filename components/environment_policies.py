"""The IAM documents for a function's own environment, as pure functions: its VPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.components.statements import allow, document

if TYPE_CHECKING:
    from overtime.components.statements import Document

_CHANGE_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
)
_SEE_INTERFACES = ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")


def function_arn_of(ecs_arn_prefix: str, function_name: str) -> str:
    """Return the ARN that a function will have, from `arn:<partition>:ecs:<region>:<account>`.

    AWS checks the policies of a function's role when it creates the function, so they cannot take the ARN from it.
    """
    _, partition, _, region, account = ecs_arn_prefix.split(":")
    return f"arn:{partition}:lambda:{region}:{account}:function:{function_name}"


def in_vpc(*, ecs_arn_prefix: str, function_name: str) -> Document:
    """Return the policy by which Lambda attaches a function to a VPC: what AWSLambdaVPCAccessExecutionRole allows.

    Unlike that managed policy, it has no permission for other regions, accounts and log groups. Lambda itself uses the
    permissions, so they are denied to the function's code:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    _, partition, _, region, account = ecs_arn_prefix.split(":")
    by_code = {"ArnEquals": {"lambda:SourceFunctionArn": function_arn_of(ecs_arn_prefix, function_name)}}
    every = (*_CHANGE_INTERFACES, *_SEE_INTERFACES)
    return document(
        [
            allow("AttachToVpc", _CHANGE_INTERFACES, [f"arn:{partition}:ec2:{region}:{account}:*/*"]),
            # These actions have no resource.
            allow("SeeVpc", _SEE_INTERFACES, ["*"]),
            {**allow("NotForTheCode", every, ["*"], by_code), "Effect": "Deny"},
        ]
    )
