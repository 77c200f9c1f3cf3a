"""The watcher's settings: its environment, and the table of the stack's functions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overtime.contract import variables
from overtime.contract.functions_table import FunctionSettings
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Mapping


class ConfigError(OvertimeError):
    """The watcher's environment or its table of functions is invalid."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The ledger, the cluster and the functions."""

    ledger_table: str
    ledger_bucket: str
    cluster_arn: str
    functions: Mapping[str, FunctionSettings]
    open_index: str | None = None
    """The table's sparse index over `open`; without it, reconciling scans the whole table."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Config:
        """Read the variables that the program sets. Raise ConfigError, which names the first invalid one."""
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
            f"the environment variable {name} is not set, and the watcher cannot work without it. "
            "Run `pulumi up` to set it again."
        )
    return value


def _functions(environ: Mapping[str, str]) -> Mapping[str, FunctionSettings]:
    file = _text(environ, variables.FUNCTIONS_FILE)
    try:
        table = json.loads(Path(environ.get("LAMBDA_TASK_ROOT", "."), file).read_text(encoding="utf-8"))
        return {str(name): FunctionSettings.read(values) for name, values in table.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"the table of functions in the file {file!r} is invalid ({error}): it must be an object of objects, by "
            "function name, as in `overtime/contract/functions_table.py`. Run `pulumi up` to write it again."
        ) from error
