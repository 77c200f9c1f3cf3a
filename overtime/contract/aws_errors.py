"""Error codes of AWS that more than one of our programs looks at."""

from __future__ import annotations

CONDITION_FAILED = "ConditionalCheckFailedException"
"""DynamoDB's code for a write whose condition did not hold."""
THROTTLED = frozenset(
    {"RequestLimitExceeded", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
"""Codes by which AWS's APIs refuse too many calls."""
