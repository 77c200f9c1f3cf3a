"""The types of a function's variables: their names, their values, and how many bytes they are for Lambda."""

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

Without `_HANDLER` and `_X_AMZN_TRACE_ID`, which no variable can be called anyway.
"""


def _allowed_variable(name: str) -> str:
    if name in RESERVED_VARIABLES:
        raise broken("Lambda sets this variable itself and refuses a function that brings its own.")
    return name


def _without_nul(value: SecretStr) -> SecretStr:
    if "\0" in value.get_secret_value():
        raise broken("A variable's value ends at a NUL character, so no process can be given one. Encode it.", "…")
    return value


def _fits(variables: dict[str, SecretStr]) -> dict[str, SecretStr]:
    # Lambda's refusal says what it has measured: `String measured: {"NAME":"value with \\"quotes\\""}`.
    values = {name: value.get_secret_value() for name, value in variables.items()}
    size = len(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode())
    if size > _MOST_BYTES:
        raise broken(
            f"Lambda takes {_MOST_BYTES} bytes of variables, as JSON text with quotes and escapes; these have {size}."
            " Put larger values into S3."
        )
    return variables


VariableName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]+$"),  # Lambda's API Reference: Environment, Variables
    AfterValidator(_allowed_variable),
    ruled("Lambda takes names of letters, digits and _, at least two characters, that start with a letter."),
]
VariableValue = Annotated[
    SecretStr,
    BeforeValidator(text),
    AfterValidator(_without_nul),
    ruled("A variable's value is text, a number or a boolean.", "…"),
]
Environment = Annotated[dict[VariableName, VariableValue], AfterValidator(_fits)]
