from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from overtime.contract.functions_table import FunctionSettings
from overtime.lambdas.watcher.config import Config, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {
    "OVERTIME_LEDGER_TABLE": "runs",
    "OVERTIME_LEDGER_BUCKET": "runs-objects",
    "OVERTIME_CLUSTER_ARN": "arn:cluster",
    "OVERTIME_FUNCTIONS_FILE": "functions.json",
}


def read(archive: Path, table: str, **change: str) -> Config:
    """Read the configuration of a watcher whose archive holds this table."""
    (archive / "functions.json").write_text(table)
    return Config.from_environ(ENVIRON | {"LAMBDA_TASK_ROOT": str(archive)} | change)


def test_the_environment_and_the_archives_table_become_typed_values(tmp_path: Path) -> None:
    """What is left out, or empty, has its default; `attempts` are told apart by whose they are."""
    table = {"report": {"queue_url": "https://q", "lambda_attempts": 0, "max_task_attempts": 5, "on_failure": ""}}
    config = read(tmp_path, json.dumps(table))
    assert config.functions == {
        "report": FunctionSettings(queue_url="https://q", lambda_attempts=0, max_task_attempts=5)
    }
    assert config.open_index is None
    assert read(tmp_path, "{}", OVERTIME_OPEN_INDEX="open").open_index == "open"


@pytest.mark.parametrize(
    ("table", "change", "text"),
    [
        ("{}", {"OVERTIME_LEDGER_TABLE": " "}, "OVERTIME_LEDGER_TABLE is not set"),
        ("{}", {"OVERTIME_FUNCTIONS_FILE": ""}, "OVERTIME_FUNCTIONS_FILE is not set"),
        ("{}", {"OVERTIME_FUNCTIONS_FILE": "gone.json"}, "the file 'gone.json' is invalid"),
        ("{", {}, "table of functions in the file 'functions.json' is invalid"),
        ("[]", {}, "an object of objects"),
        ('{"report": {"lambda_attempts": "3"}}', {}, "lambda_attempts is '3' and must be int"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, table: str, change: dict[str, str], text: str) -> None:
    """The error says which variable, or which part of the table, and what is allowed."""
    with pytest.raises(ConfigError, match=text):
        read(tmp_path, table, **change)
