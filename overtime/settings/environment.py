"""Types of a function's environment variables: names, values, and their total size as Lambda measures it."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints

from overtime.settings.rules import broken, ruled, text

_MOST_BYTES = 4096
RESERVED_VARIABLES = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime

Without `_HANDLER` and `_X_AMZN_TRACE_ID`, because a variable's name cannot start with _ anyway.
"""


def _allowed_variable(name: str) -> str:
    if name in RESERVED_VARIABLES:
        raise broken("Lambda sets this variable itself and rejects a function that defines it.")
    return name


def _without_nul(value: SecretStr) -> SecretStr:
    if "\0" in value.get_secret_value():
        raise broken("A variable's value cannot contain a NUL character. Encode it, for example as Base64.", "…")
    return value


def _fits(variables: dict[str, SecretStr]) -> dict[str, SecretStr]:
    # Lambda's error shows what it measures: `String measured: {"NAME":"value with \\"quotes\\""}`.
    values = {name: value.get_secret_value() for name, value in variables.items()}
    size = len(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode())
    if size > _MOST_BYTES:
        raise broken(
            f"Lambda accepts {_MOST_BYTES} bytes of variables, measured as JSON with quotes and escapes; these have"
            f" {size}. Store large values in S3."
        )
    return variables


VariableName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]+$"),  # Lambda's API Reference: Environment, Variables
    AfterValidator(_allowed_variable),
    ruled("A variable's name has at least two letters, digits and _, and starts with a letter."),
]
VariableValue = Annotated[
    SecretStr,
    BeforeValidator(text),
    AfterValidator(_without_nul),
    ruled("A variable's value is text, a number or a boolean.", "…"),
]
Environment = Annotated[dict[VariableName, VariableValue], AfterValidator(_fits)]
