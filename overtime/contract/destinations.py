"""Kinds of destination: where the record of a run's outcome may be sent, and what sending to each kind requires.

To add a kind, define it here, send to it in `lambdas/watcher/destinations.py`, and add a row to `docs/operating.md`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


LARGEST_RECORD = 1_048_576 - 1_024
"""The largest record in bytes: 1 MiB, less room for the message attribute. A queue or topic may have a lower limit."""


@dataclass(frozen=True, kw_only=True)
class DestinationKind:
    """One kind of destination."""

    service: str
    """The service in its ARN."""
    title: str
    """Its name in error texts, with the article."""
    resource: str
    """Regular expression for the part of its ARN after the account."""
    regional: bool = True
    """Whether its ARN names a region and an account; the watcher reaches only destinations in its own region."""
    actions: tuple[str, ...]
    """The IAM actions that sending requires."""
    granted: str = ""
    """What follows the ARN in the resource of these actions, such as `/*` for the objects of a bucket."""
    on_success: bool = True
    """Whether Lambda also sends it the records of successes."""
    largest: int = LARGEST_RECORD
    """The largest record in bytes that it accepts."""
    sid: str
    """The Sid of the statement that allows them."""
    too_large: tuple[tuple[str, str], ...]
    """How the service rejects a record over its limit: an error code, and words of its message if the code has others.

    Only these errors may drop the payloads. After any other, such as throttling, the full record is sent again.
    """

    def matches(self, arn: str) -> bool:
        """Return whether an ARN names a destination of this kind."""
        return re.fullmatch(self.arn_pattern, arn) is not None

    @property
    def arn_pattern(self) -> str:
        """Return the regular expression of its ARNs in all partitions, without anchors."""
        place = r"[a-z0-9-]+:\d{12}" if self.regional else ":"
        return rf"arn:aws[a-z-]*:{self.service}:{place}:{self.resource}"


# No FIFO queues or topics (names that end with .fifo): records have no message group, like Lambda's own.
QUEUE = DestinationKind(
    service="sqs",
    title="an SQS queue",
    resource=r"[A-Za-z0-9_-]{1,80}",
    actions=("sqs:GetQueueUrl", "sqs:SendMessage"),
    sid="TellQueues",
    # SQS says "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes."
    too_large=(("InvalidParameterValue", "Message must be shorter than"),),
)
TOPIC = DestinationKind(
    service="sns",
    title="an SNS topic",
    resource=r"[A-Za-z0-9_-]{1,256}",
    actions=("sns:Publish",),
    sid="TellTopics",
    # SNS says "Invalid parameter: Message too long"
    too_large=(("InvalidParameter", "Message too long"),),
)
EVENT_BUS = DestinationKind(
    service="events",
    title="an EventBridge bus",
    resource=r"event-bus/[A-Za-z0-9/._-]{1,256}",
    actions=("events:PutEvents",),
    sid="TellBuses",
    # EventBridge says "Total size of the entries in the request is over the limit."
    too_large=(("ValidationException", "size of the entries in the request is over the limit"),),
)
FUNCTION = DestinationKind(
    service="lambda",
    title="a Lambda function",
    resource=r"function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]{1,128})?",
    actions=("lambda:InvokeFunction",),
    sid="TellFunctions",
    # Lambda has three codes for a request body over its quota; none has another meaning.
    too_large=(
        ("RequestTooLargeException", ""),
        ("RequestEntityTooLargeException", ""),
        ("SerializedRequestEntityTooLargeException", ""),
    ),
)
KINDS = (QUEUE, TOPIC, EVENT_BUS, FUNCTION)
ON_SUCCESS = tuple(kind for kind in KINDS if kind.on_success)
"""The kinds that may be an on-success destination."""


def kind_of(arn: str) -> DestinationKind | None:
    """Return the kind of destination that an ARN names, or None."""
    return next((kind for kind in KINDS if kind.matches(arn)), None)


def titles(kinds: Sequence[DestinationKind] = KINDS) -> str:
    """Return the titles of all kinds as a list in prose, for an error text."""
    *first, last = [kind.title for kind in kinds]
    return f"{', '.join(first)} or {last}"
