"""What the watcher is told: by its environment, and by one table of all functions of the stack.

The table is JSON, by function name:

    {"report": {"function_arn": "arn:…", "queue_url": "https://…", "parking_queue_url": "https://…",
                "lambda_attempts": 3, "max_task_attempts": 3, "on_success": "arn:…", "on_failure": "arn:…"}}

Lambda holds 4 KB of variables, which is about ten functions. So the table is a file of the watcher's own archive, and
OVERTIME_FUNCTIONS_FILE names it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from overtime.contract import variables
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Mapping

_T = TypeVar("_T", str, int)
_LAMBDA_ATTEMPTS, _TASK_ATTEMPTS = 3, 3


class ConfigError(OvertimeError):
    """The watcher's environment, or its table of functions, cannot be used."""


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    """What the watcher has to know of one function; the defaults are for one that the stack no longer has."""

    function_arn: str | None = None
    queue_url: str | None = None
    """Its failure queue, where runs that are relaunched go; without, none is."""
    parking_queue_url: str | None = None
    """Where the record of a run goes that a person has to look at."""
    lambda_attempts: int = _LAMBDA_ATTEMPTS
    """For records that do not count them."""
    max_task_attempts: int = _TASK_ATTEMPTS
    on_success: str | None = None
    """ARN of the queue, topic, event bus or function that gets the records of runs that succeeded."""
    on_failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where the ledger and the cluster are, and the functions."""

    ledger_table: str
    ledger_bucket: str
    cluster_arn: str
    functions: Mapping[str, FunctionSettings]
    open_index: str | None = None
    """The table's sparse index over `open`; without, reconciling reads the whole table."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Config:
        """Read the variables that the program sets; raises ConfigError, which names the first that cannot be used."""
        return cls(
            ledger_table=_text(environ, variables.LEDGER_TABLE),
            ledger_bucket=_text(environ, variables.LEDGER_BUCKET),
            cluster_arn=_text(environ, variables.CLUSTER_ARN),
            functions=_functions(environ),
            open_index=environ.get(variables.OPEN_INDEX, "").strip() or None,
        )


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise ConfigError(
            f"the environment variable {name} is not set: the watcher cannot look after runs without it. "
            "`pulumi up` sets it again."
        )
    return value


def _functions(environ: Mapping[str, str]) -> Mapping[str, FunctionSettings]:
    file = _text(environ, variables.FUNCTIONS_FILE)
    try:
        table = json.loads(Path(environ.get("LAMBDA_TASK_ROOT", "."), file).read_text(encoding="utf-8"))
        return {str(name): _settings(values) for name, values in table.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"the table of functions in the file {file!r} cannot be used ({error}): it is an object of objects, by "
            "function name, as the watcher's `config` says. `pulumi up` writes it again."
        ) from error


def _settings(values: Mapping[str, object]) -> FunctionSettings:
    names = ("function_arn", "queue_url", "parking_queue_url", "on_success", "on_failure")
    texts = {name: _optional(values, name, str) for name in names}
    lambda_attempts = _optional(values, "lambda_attempts", int)
    task_attempts = _optional(values, "max_task_attempts", int)
    return FunctionSettings(
        **texts,
        lambda_attempts=_LAMBDA_ATTEMPTS if lambda_attempts is None else lambda_attempts,
        max_task_attempts=_TASK_ATTEMPTS if task_attempts is None else task_attempts,
    )


def _optional(values: Mapping[str, object], name: str, kind: type[_T]) -> _T | None:
    value = values.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {value!r} and must be {kind.__name__}")
    return value
