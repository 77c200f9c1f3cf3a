"""The watcher's settings of each function: a table in a file of its archive, keyed by the function's name in AWS.

    {"overtime-dev-report": {"function_arn": "arn:…", "queue_url": "https://…", "parking_queue_url": "https://…",
                             "lambda_attempts": 3, "max_task_attempts": 3,
                             "on_success": "arn:…", "on_failure": "arn:…"}}

It is not an environment variable because Lambda limits these to 4 KB in total, enough for about ten functions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "functions.json"
"""Its name in the archive."""


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    """One function's settings; the defaults apply to a function that is no longer in the stack."""

    function_arn: str | None = None
    queue_url: str | None = None
    """Its failure queue, for the pointer records of relaunches; None if runs cannot be relaunched."""
    parking_queue_url: str | None = None
    """Its parking queue, for the pointer records of runs that need an operator."""
    lambda_attempts: int = 3
    """Lambda attempts per invocation, for failure records without a count."""
    max_task_attempts: int = 3
    on_success: str | None = None
    """ARN of the destination for records of runs that succeeded."""
    on_failure: str | None = None
    """ARN of the destination for records of all other runs."""

    @classmethod
    def read(cls, values: Mapping[str, object]) -> FunctionSettings:
        """Read a row of the table. Raise TypeError, naming the key, if a value has the wrong type."""
        found = {field.name: values[field.name] for field in fields(cls) if values.get(field.name) not in (None, "")}
        for name, value in found.items():
            kind = int if name in _NUMBERS else str
            if not isinstance(value, kind):
                raise TypeError(f"{name} is {value!r} and must be {kind.__name__}")
        return cls(**found)  # type: ignore[arg-type] # checked above


_NUMBERS = frozenset({"lambda_attempts", "max_task_attempts"})
