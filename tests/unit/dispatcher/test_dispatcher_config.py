from __future__ import annotations

import re

import pytest

from overtime.contract.capacity import Capacity
from overtime.contract.rescue import Rescue
from overtime.lambdas.dispatcher.config import Config, ConfigError

ENVIRON = {
    "OVERTIME_FUNCTION_NAME": "report",
    "OVERTIME_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:report",
    "OVERTIME_LEDGER_TABLE": "runs",
    "OVERTIME_LEDGER_BUCKET": "runs-objects",
    "OVERTIME_RUN_TASK": '{"cluster": "c", "networkConfiguration": {}, "taskDefinition": "report"}',
    "OVERTIME_RESCUE": "timeout,out_of_memory",
    "OVERTIME_ATTEMPTS": "3",
    "OVERTIME_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/failures",
    "OVERTIME_PARKING_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/parking",
    "OVERTIME_MAX_RECEIVE_COUNT": "5",
    "OVERTIME_RUNS_DAYS": "30",
}


def test_the_environment_becomes_typed_values() -> None:
    """Lists are split, numbers are numbers, rules are rules."""
    config = Config.from_environ(ENVIRON | {"UNRELATED": "x"})
    assert (config.run_task["taskDefinition"], config.lambda_attempts, config.runs_days) == ("report", 3, 30)
    assert config.rescue == {Rescue.TIMEOUT, Rescue.OUT_OF_MEMORY}


@pytest.mark.parametrize("name", ENVIRON)
def test_a_missing_variable_is_named(name: str) -> None:
    """The error says which variable is not there."""
    with pytest.raises(ConfigError, match=f"the environment variable {name} is not set"):
        Config.from_environ({key: value for key, value in ENVIRON.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("OVERTIME_FUNCTION_NAME", "  ", "must not be empty"),
        ("OVERTIME_RUN_TASK", "{", "a JSON object with cluster, networkConfiguration, taskDefinition"),
        ("OVERTIME_RUN_TASK", "[]", "a JSON object with cluster, networkConfiguration, taskDefinition"),
        ("OVERTIME_RUN_TASK", '{"cluster": "c"}', "a JSON object with cluster, networkConfiguration, taskDefinition"),
        ("OVERTIME_RESCUE", "timeout,,any", "without empty parts"),
        ("OVERTIME_RESCUE", "timeout,all", "one of any, out_of_memory, timeout, or the value nothing"),
        ("OVERTIME_RESCUE", "timeout,nothing", "one of any, out_of_memory, timeout, or the value nothing"),
        ("OVERTIME_ATTEMPTS", "4", "from 0 to 3"),
        ("OVERTIME_ATTEMPTS", "-1", "whole number from 0 to 3"),
        ("OVERTIME_MAX_RECEIVE_COUNT", "0", "at least 1"),
        ("OVERTIME_RUNS_DAYS", "²", "whole number at least 1"),
    ],
)
def test_a_value_that_cannot_work_is_shown_with_its_rule(name: str, value: str, rule: str) -> None:
    """The error names the variable, the value, and what is allowed."""
    with pytest.raises(ConfigError, match=re.escape(f"{name} is {value!r}: ") + f".*{rule}"):
        Config.from_environ(ENVIRON | {name: value})


def test_what_is_not_set_changes_nothing() -> None:
    """Without a limit nobody counts tasks, and without a word on capacity they are on demand."""
    config = Config.from_environ(ENVIRON)
    assert (config.max_concurrent_runs, config.capacity) == (None, Capacity.ON_DEMAND)


def test_limits_and_capacity_are_read() -> None:
    """The two settings that a function may have."""
    config = Config.from_environ(ENVIRON | {"OVERTIME_MAX_CONCURRENT_RUNS": "3", "OVERTIME_CAPACITY": "spot"})
    assert (config.max_concurrent_runs, config.capacity) == (3, Capacity.SPOT)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"OVERTIME_MAX_CONCURRENT_RUNS": "0"}, "from 1 to 1000"),
        ({"OVERTIME_CAPACITY": "cheap"}, "one of on_demand, spot"),
    ],
)
def test_a_limit_that_cannot_work_is_shown_with_its_rule(more: dict[str, str], text: str) -> None:
    """Before any record is taken."""
    with pytest.raises(ConfigError, match=text):
        Config.from_environ(ENVIRON | more)
