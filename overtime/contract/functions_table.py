"""What the watcher has to know of each function: a table in a file of its archive, by the function's name in AWS.

    {"report": {"function_arn": "arn:…", "queue_url": "https://…", "parking_queue_url": "https://…",
                "lambda_attempts": 3, "max_task_attempts": 3, "on_success": "arn:…", "on_failure": "arn:…"}}

Lambda holds 4 KB of variables, which is about ten functions, so the table is no variable.
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
    """One function; the defaults are for a function that the stack no longer has."""

    function_arn: str | None = None
    queue_url: str | None = None
    """Its failure queue, where runs that are relaunched go; None if no run can be."""
    parking_queue_url: str | None = None
    """Its parking queue, where the record of a run goes that needs a person."""
    lambda_attempts: int = 3
    """For records that do not count them."""
    max_task_attempts: int = 3
    on_success: str | None = None
    """ARN of the destination that gets the records of runs that succeeded."""
    on_failure: str | None = None
    """Likewise, of those that did not."""

    @classmethod
    def read(cls, values: Mapping[str, object]) -> FunctionSettings:
        """Read a row of the table. Raises TypeError, which names the key, for a value of another type."""
        found = {field.name: values[field.name] for field in fields(cls) if values.get(field.name) not in (None, "")}
        for name, value in found.items():
            kind = int if name in _NUMBERS else str
            if not isinstance(value, kind):
                raise TypeError(f"{name} is {value!r} and must be {kind.__name__}")
        return cls(**found)  # type: ignore[arg-type] # checked above


_NUMBERS = frozenset({"lambda_attempts", "max_task_attempts"})
