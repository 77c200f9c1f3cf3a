"""The log groups of Lambda functions, which a function's tasks write to, too."""

from __future__ import annotations


def log_group_of(function_name: str) -> str:
    """Return the log group that Lambda writes to unless a function's `LoggingConfig` names another."""
    return f"/aws/lambda/{function_name}"
