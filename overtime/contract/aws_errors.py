"""AWS error codes that more than one of our programs handles."""

from __future__ import annotations

CONDITION_FAILED = "ConditionalCheckFailedException"
"""DynamoDB's code for a write whose condition was not met."""
THROTTLED = frozenset(
    {"RequestLimitExceeded", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
"""Codes with which AWS's APIs reject calls that exceed a rate limit."""
