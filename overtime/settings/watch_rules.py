"""The types of single settings that say how runs are limited and watched; what they stand on is in `rules`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from overtime.settings.rules import LONGEST_RUN_SECONDS, SHORTEST_RUN_SECONDS, Int, Seconds, broken, ruled

_MOST_ACTIONS = 5


def _few_actions(arns: tuple[str, ...]) -> tuple[str, ...]:
    if len(arns) > _MOST_ACTIONS:
        rule = f"CloudWatch takes at most {_MOST_ACTIONS} actions for an alarm; these are {len(arns)}."
        raise broken(f"{rule} Let one topic tell the others.")
    return arns


TaskAttempts = Annotated[
    Int,
    Field(ge=1, le=10),
    ruled("A run has 1 to 10 task attempts; each further one follows only where AWS took the one before away.", 3),
]
ConcurrentRuns = Annotated[
    Int, Field(ge=1, le=1000), ruled("1 to 1000 runs of the function at once; leave the key out for no limit.")
]
Capacity = Annotated[
    Literal["on_demand", "spot"],
    ruled("Tasks run on on_demand or spot capacity; spot is cheaper, and AWS may take a task away.", "on_demand"),
]
DestinationArn = Annotated[
    str,
    StringConstraints(
        # No name ends with .fifo: records carry no message group, as Lambda's own do not.
        pattern=r"^arn:aws[a-z-]*:"
        r"(sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80}"
        r"|sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}"
        r"|events:[a-z0-9-]+:\d{12}:event-bus/[A-Za-z0-9/._-]{1,256}"
        r"|lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]{1,128})?)$"
    ),
    ruled(
        "A destination is the ARN of an SQS queue or SNS topic (not FIFO), an EventBridge bus or a Lambda function.",
        "arn:aws:sqs:eu-west-1:123456789012:finished-runs",
    ),
]
KmsKeyArn = Annotated[
    str,
    StringConstraints(
        # A key's id is a UUID, with mrk- and without hyphens that of a multi-region key.
        pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/"
        r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$"
    ),
    ruled(
        "A KMS key is named by its own ARN, arn:aws:kms:REGION:ACCOUNT:key/ID: rights on an alias are none on the key.",
        "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
    ),
]
LongestRun = Annotated[
    Seconds,
    Field(ge=SHORTEST_RUN_SECONDS, le=LONGEST_RUN_SECONDS),
    ruled("A run takes 60s to 14d, written like 90m, 6h or 1d12h; leave the key out for no alarm.", "6h"),
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
        "An alarm's action is the ARN of a standard SNS topic, a Lambda function, an OpsItem or a response plan.",
        "arn:aws:sns:eu-west-1:123456789012:on-call",
    ),
]
AlarmActions = Annotated[tuple[AlarmActionArn, ...], AfterValidator(_few_actions)]
