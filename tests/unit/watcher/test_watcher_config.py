from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from lambdas.watcher.config import Config, ConfigError, FunctionSettings

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {
    "OVERTIME_LEDGER_TABLE": "runs",
    "OVERTIME_LEDGER_BUCKET": "runs-objects",
    "OVERTIME_CLUSTER_ARN": "arn:cluster",
    "OVERTIME_FUNCTIONS": '{"report": {"queue_url": "https://q", "max_task_attempts": 5, "on_failure": ""}}',
}


def test_the_environment_becomes_typed_values() -> None:
    """What is left out, or empty, has its default."""
    config = Config.from_environ(ENVIRON)
    assert config.functions == {"report": FunctionSettings(queue_url="https://q", max_task_attempts=5)}
    assert config.open_index is None
    assert Config.from_environ(ENVIRON | {"OVERTIME_OPEN_INDEX": "open"}).open_index == "open"


def test_many_functions_come_in_a_file_of_the_archive(tmp_path: Path) -> None:
    """Lambda holds 4 KB of variables; a hundred functions need more."""
    table = {f"function-{index}": {"function_arn": "arn:" + "x" * 100} for index in range(100)}
    (tmp_path / "functions.json").write_text(json.dumps(table))
    environ = {name: value for name, value in ENVIRON.items() if name != "OVERTIME_FUNCTIONS"}
    file = {"LAMBDA_TASK_ROOT": str(tmp_path), "OVERTIME_FUNCTIONS_FILE": "functions.json"}
    assert len(Config.from_environ(environ | file).functions) == 100


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"OVERTIME_LEDGER_TABLE": " "}, "OVERTIME_LEDGER_TABLE is not set"),
        ({"OVERTIME_FUNCTIONS": ""}, "either OVERTIME_FUNCTIONS or OVERTIME_FUNCTIONS_FILE"),
        ({"OVERTIME_FUNCTIONS_FILE": "f"}, "and not both"),
        ({"OVERTIME_FUNCTIONS": "{"}, "table of functions in OVERTIME_FUNCTIONS cannot be used"),
        ({"OVERTIME_FUNCTIONS": "[]"}, "an object of objects"),
        ({"OVERTIME_FUNCTIONS": '{"report": {"attempts": "3"}}'}, "attempts is '3' and must be int"),
        ({"OVERTIME_FUNCTIONS": "", "OVERTIME_FUNCTIONS_FILE": "gone.json"}, "the file 'gone.json' cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, str], text: str) -> None:
    """The error says which variable, and what is allowed."""
    with pytest.raises(ConfigError, match=text):
        Config.from_environ(ENVIRON | change)
