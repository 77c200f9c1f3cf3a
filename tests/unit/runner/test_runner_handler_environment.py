"""The handler's environment: Lambda's own, then the function's, then what nobody can set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtime.contract.runtimes import FAMILIES, PROVIDED, PYTHON, Family
from overtime.runner import handler_environment
from overtime.runner.function import Function
from overtime.runner.handler_environment import Places

PLACES = Places("/var/task", "/opt", "/var/runtime")
TEXTS = st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{1,8}", fullmatch=True), st.text(max_size=5), max_size=6)


def combined(base: dict[str, str], own: dict[str, str], family: Family = PYTHON) -> dict[str, str]:
    """Put an environment together for a function with variables of its own."""
    function = Function("report")
    function.variables, function.handler = own, "app.handler"
    derived = handler_environment.of_function(function, region="eu-west-1", log_stream="s", trace_id="Root=1-0-0")
    return handler_environment.combined(base, family, function, derived, runtime_api="127.0.0.1:9")


@given(TEXTS, TEXTS)
def test_a_functions_variables_are_all_there_and_win(task: dict[str, str], own: dict[str, str]) -> None:
    made = combined(handler_environment.foundation(task, PYTHON, PLACES, by_hand=False), own)
    assert {name: made[name] for name in own} == own


@given(TEXTS)
def test_of_the_tasks_environment_only_what_is_listed_is_taken_over(task: dict[str, str]) -> None:
    made = handler_environment.foundation(
        {**task, "OVERTIME_RUN_KEY": "x", "AWS_REGION": "r"}, PYTHON, PLACES, by_hand=False
    )
    assert made.keys() <= {*handler_environment.FROM_TASK, *handler_environment.fixed(PYTHON, PLACES)}


def test_what_follows_from_the_functions_configuration() -> None:
    """What the function has not is not set."""
    function = Function("report")
    function.handler, function.memory_mib, function.version = "app.handler", 256, "7"
    function.log_group, function.log_format = "/aws/lambda/report", "Text"
    least = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "report",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/report",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        "AWS_REGION": "eu-west-1",
        "_HANDLER": "app.handler",
        "_X_AMZN_TRACE_ID": "t",
    }
    assert handler_environment.of_function(function, region="eu-west-1", log_stream="s", trace_id="t") == least
    function.runtime, function.log_level = "python3.12", "INFO"
    assert handler_environment.of_function(function, region="eu-west-1", log_stream="s", trace_id="t") == least | {
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
    }


@pytest.mark.parametrize("name", ["AWS_LAMBDA_FUNCTION_NAME", "_HANDLER", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION"])
def test_what_lambda_reserves_is_lambdas(name: str) -> None:
    assert combined({}, {name: "mine"})[name] != "mine"


@pytest.mark.parametrize(
    "name", ["PYTHONHASHSEED", "LD_LIBRARY_PATH", "TZ", "LANG", "LC_ALL", "MALLOC_ARENA_MAX", "HOME", "LOCPATH"]
)
def test_what_a_process_reads_at_its_start_needs_a_fresh_one(name: str) -> None:
    base = handler_environment.fixed(PYTHON, PLACES)
    assert handler_environment.needs_fresh_interpreter({**base, name: "other"}, base)


@pytest.mark.parametrize("name", ["GREETING", "AWS_LAMBDA_FUNCTION_NAME", "PATH"])
def test_other_variables_do_not(name: str) -> None:
    base = handler_environment.fixed(PYTHON, PLACES)
    assert not handler_environment.needs_fresh_interpreter({**base, name: "other"}, base)


def test_a_wrapper_always_does() -> None:
    base = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}
    assert handler_environment.needs_fresh_interpreter(base, base)


def test_a_function_without_a_managed_runtime_sees_none_of_its_variables() -> None:
    """AWS's guide says so of AWS_EXECUTION_ENV; there is no language whose programs PATH could name."""
    function = Function("report")
    function.runtime = "provided.al2023"
    derived = handler_environment.of_function(function, region="r", log_stream="s", trace_id="t")
    made = handler_environment.combined(
        handler_environment.fixed(PROVIDED, PLACES), PROVIDED, function, derived, runtime_api="127.0.0.1:9"
    )
    assert {"AWS_EXECUTION_ENV", "_LAMBDA_TELEMETRY_LOG_FD"} & made.keys() == set()
    assert (made["PATH"], made["LD_LIBRARY_PATH"]) == (
        "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    )


@pytest.mark.parametrize(
    "family", [family for family in FAMILIES if family is not PROVIDED], ids=lambda each: each.name
)
def test_a_managed_runtime_has_a_descriptor_for_its_records(family: Family) -> None:
    made = combined(handler_environment.fixed(family, PLACES), {}, family)
    assert made["_LAMBDA_TELEMETRY_LOG_FD"] == str(handler_environment.RECORDS)
