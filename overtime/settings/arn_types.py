"""Types of settings that are ARNs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, StringConstraints, WrapValidator

from overtime.contract import destinations
from overtime.settings.rules import broken, few, ruled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overtime.contract.destinations import DestinationKind


def _different_layers(arns: tuple[str, ...]) -> tuple[str, ...]:
    layers = [arn.rpartition(":")[0] for arn in arns]
    for index, layer in enumerate(layers):
        if layer in layers[:index]:
            raise broken(f"Lambda rejects two versions of one layer, and {layer!r} is already listed.", at=(index,))
    return arns


def _destination(kinds: Sequence[DestinationKind]) -> tuple[StringConstraints, WrapValidator]:
    pattern = "|".join(f"^{kind.arn_pattern}$" for kind in kinds)
    rule = f"A destination is the ARN of {destinations.titles(kinds)}; FIFO queues and topics are not supported."
    return StringConstraints(pattern=pattern), ruled(rule, "arn:aws:sqs:eu-west-1:123456789012:finished-runs")


LayerArn = Annotated[
    str,
    StringConstraints(pattern=r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:layer:[A-Za-z0-9_-]+:\d+$"),
    ruled(
        "Give the ARN of a layer version: arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION.",
        "arn:aws:lambda:eu-west-1:123456789012:layer:numbers:1",
    ),
]
Layers = Annotated[
    tuple[LayerArn, ...],
    AfterValidator(_different_layers),
    few(5, "A function can have at most 5 layers; this list has {}. Merge some of them."),
]
ResourceArn = Annotated[
    str,
    StringConstraints(pattern=r"^(\*|arn:aws[a-z-]*:[a-z0-9-]+:[^:\p{C}]*:[^:\p{C}]*:[^\p{C}]+)$"),
    ruled("A resource is an ARN, or * for actions without resource-level permissions.", "arn:aws:s3:::my-bucket/*"),
]
PolicyArn = Annotated[
    str,
    StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::(aws|\d{12}):policy/[!-~]+$"),
    ruled("Give the ARN of the managed policy.", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"),
]
PolicyArns = Annotated[
    tuple[PolicyArn, ...],
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html; the program attaches no others.
    few(10, "A role can have 10 managed policies; this list has {}. Merge some, or move statements to permissions."),
]
OnSuccessArn = Annotated[str, *_destination(destinations.ON_SUCCESS)]
OnFailureArn = Annotated[str, *_destination(destinations.KINDS)]
KmsKeyArn = Annotated[
    str,
    StringConstraints(
        # A key's id is a UUID; that of a multi-Region key begins with mrk- and has no other hyphens.
        pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/"
        r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$"
    ),
    ruled(
        "Give the key's own ARN, arn:aws:kms:REGION:ACCOUNT:key/ID; permission for an alias does not cover its key.",
        "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
    ),
]
ACCESS_POINT_RULE = (
    "Give the ARN of an EFS access point: arn:aws:elasticfilesystem:REGION:ACCOUNT:access-point/ID. Other file systems"
    " are not supported."
)
ACCESS_POINT = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0"
AccessPointArn = Annotated[
    str,
    # `FileSystemArn` in Lambda's service model, which also allows S3 Files.
    StringConstraints(pattern=r"^arn:aws[a-z-]*:elasticfilesystem:[a-z0-9-]+:\d{12}:access-point/fsap-[a-f0-9]{17}$"),
    ruled(ACCESS_POINT_RULE, ACCESS_POINT),
]
AlarmActionArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws[a-z-]*:"
        r"(sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}"
        r"|lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]{1,128})?"
        r"|ssm:[a-z0-9-]+:\d{12}:opsitem:[1-4](#CATEGORY=[A-Za-z]+)?"
        r"|ssm-incidents::\d{12}:response-plan/[A-Za-z0-9_-]+)$"
    ),
    ruled(
        "An alarm action is the ARN of a standard SNS topic, a Lambda function, an OpsItem or a response plan.",
        "arn:aws:sns:eu-west-1:123456789012:on-call",
    ),
]
AlarmActions = Annotated[
    tuple[AlarmActionArn, ...],
    few(5, "An alarm can have at most 5 actions; this list has {}. Use one topic that notifies the others."),
]
