"""The watcher's permissions to send, divided among policies, because the size of a policy is limited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.contract import destinations

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi

    Grant = tuple[str, str]
    WiredGrant = tuple[str, pulumi.Input[str]]

_ROOM = 5_200
"""Largest total length of the ARNs in one policy, in characters; its statements need at most 800 more."""
_LONGEST_QUEUE_ARN = len("arn:aws-us-gov:sqs:us-gov-west-1:123456789012:") + 80
GRANTED = {
    "LaunchAgain": ["sqs:GetQueueAttributes", "sqs:SendMessage"],
    "ParkRuns": ["sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"],
    **{kind.sid: list(kind.actions) for kind in destinations.KINDS},
    # The sender to an encrypted queue or topic needs its own permission for the key.
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    "UseDestinationKeys": ["kms:Decrypt", "kms:GenerateDataKey"],
}
"""The actions that the watcher needs on queues, destinations and keys, by the Sid of the statement."""
_KINDS = {kind.service: kind for kind in destinations.KINDS}


def shared_out(
    queue_arns: Sequence[pulumi.Input[str]],
    *,
    parking_arns: Sequence[pulumi.Input[str]],
    destination_arns: Sequence[str],
    key_arns: Sequence[str],
) -> list[list[WiredGrant]]:
    """Return Sid and ARN of each grant, in shares that fit into one policy each; there is at least one share.

    The inline policies of a role may have 10,240 characters in total, a managed policy 6,144, without white space.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    targets = [(arn, _KINDS[arn.split(":")[2]]) for arn in destination_arns]
    grants: list[tuple[str, pulumi.Input[str], int]] = [
        *(("LaunchAgain", arn, _LONGEST_QUEUE_ARN) for arn in queue_arns),
        *(("ParkRuns", arn, _LONGEST_QUEUE_ARN) for arn in parking_arns),
        *((kind.sid, f"{arn}{kind.granted}", len(arn) + len(kind.granted)) for arn, kind in targets),
        *(("UseDestinationKeys", arn, len(arn)) for arn in key_arns),
    ]
    shares: list[list[WiredGrant]] = [[]]
    room = _ROOM
    for sid, arn, length in grants:
        room -= length + len('"",')
        if room < 0:
            shares.append([])
            room = _ROOM - length - len('"",')
        shares[-1].append((sid, arn))
    return shares
