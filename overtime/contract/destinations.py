"""Kinds of destination: where the record of how a run ended may go, and what sending to each needs.

A kind is added here, with a way to send to it in `lambdas/watcher/destinations.py` and its row in `docs/operating.md`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DestinationKind:
    """One kind of destination."""

    service: str
    """The service in its ARN."""
    title: str
    """What people call it, with its article."""
    resource: str
    """Regular expression for the part of its ARN after the account."""
    regional: bool = True
    """Whether its ARN names a region and an account; the watcher reaches those of its own region only."""
    actions: tuple[str, ...]
    """The IAM actions that sending needs, on the ARN itself."""
    sid: str
    """The Sid of the statement that allows them."""
    too_large: tuple[tuple[str, str], ...]
    """How the service refuses a record over its limit: error code, and the words that tell it from the code's others.

    Nothing else may take the payloads away: a throttled call, say, is sent again as it is.
    """

    def matches(self, arn: str) -> bool:
        """Return whether an ARN names a destination of this kind."""
        return re.fullmatch(self.arn_pattern, arn) is not None

    @property
    def arn_pattern(self) -> str:
        """Return the regular expression of its ARNs, without anchors, in every partition."""
        place = r"[a-z0-9-]+:\d{12}" if self.regional else ":"
        return rf"arn:aws[a-z-]*:{self.service}:{place}:{self.resource}"


LARGEST_RECORD = 1_048_576 - 1_024
"""Bytes that any destination accepts at most; the rest is for the attribute. A topic or queue may be set to less."""

# Only queues and topics whose names do not end with .fifo: records have no message group, as Lambda's own do not.
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
    # Lambda names its quota of one request body in three ways; each says nothing else.
    too_large=(
        ("RequestTooLargeException", ""),
        ("RequestEntityTooLargeException", ""),
        ("SerializedRequestEntityTooLargeException", ""),
    ),
)
KINDS = (QUEUE, TOPIC, EVENT_BUS, FUNCTION)


def kind_of(arn: str) -> DestinationKind | None:
    """Return the kind of destination that an ARN names, None if it names none."""
    return next((kind for kind in KINDS if kind.matches(arn)), None)


def titles() -> str:
    """Return all kinds in words, for an error text."""
    *first, last = [kind.title for kind in KINDS]
    return f"{', '.join(first)} or {last}"
