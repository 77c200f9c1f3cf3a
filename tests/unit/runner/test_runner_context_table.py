"""docs/context.md says of each thing that a handler sees what it is, and says nothing that is not so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from awslambdaric.lambda_context import LambdaContext  # type: ignore[import-untyped]

from overtime.contract.runtimes import FAMILIES, PYTHON, Family
from overtime.runner import handler_environment
from overtime.runner.function import Function
from overtime.runner.handler_environment import Places
from tests.doubles.runner_aws import StandIn
from tests.unit.runner.conftest import Task
from tests.unit.runner.context_table import attributes, families, variables

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTED_BY_AWS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_EXEC_WRAPPER",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONPATH",
    "TZ",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
)
"""Every variable that AWS's guide lists for Python functions."""


class Seen:
    """What one handler saw, with the folders of this machine called as in the image."""

    def __init__(self, task: Task) -> None:
        own = {"GREETING": "hello"}
        task.deploy("seen.handler", variables=own)
        document = task.run().result
        assert isinstance(document, dict)
        self.context: dict[str, object] = document["context"]
        places = {"task": "/var/task", "opt": "/opt", "runtime": "/var/runtime"}
        self.environment: dict[str, str] = {}
        for name, value in document["environment"].items():
            shown = value
            for folder, place in places.items():
                shown = shown.replace(str(task.folder / folder), place)
            self.environment[name] = shown
        for name in own:
            del self.environment[name]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Run the handler that tells what it sees, once."""
    with StandIn() as standin:
        task = Task(standin, tmp_path_factory.mktemp("task"))
        yield Seen(task)
        task.close()


def test_every_attribute_that_a_handler_sees_has_a_row_and_every_row_is_seen(seen: Seen) -> None:
    methods = {f"{name}()" for name in vars(LambdaContext) if not name.startswith("_")}
    assert {*seen.context, *methods} == set(attributes())


def test_every_variable_that_a_handler_sees_has_a_row(seen: Seen) -> None:
    assert set(seen.environment) - set(variables()) == set()


def test_every_variable_that_aws_documents_has_a_row() -> None:
    assert set(DOCUMENTED_BY_AWS) - set(variables()) == set()


def test_every_variable_that_the_page_promises_is_seen(seen: Seen) -> None:
    promised = {name for name, row in variables().items() if not row.absent and not row.sometimes}
    assert promised - set(seen.environment) == set()


def test_no_variable_that_the_page_calls_absent_is_seen(seen: Seen) -> None:
    assert {name for name, row in variables().items() if row.absent} & set(seen.environment) == set()


def test_every_value_that_the_page_gives_is_the_one_that_is_seen(seen: Seen) -> None:
    given = {name: row.literal for name, row in variables().items() if row.literal is not None}
    assert {name: seen.environment[name] for name in given} == given
    assert len(given) >= 8, "the page gives values that a reader can compare"


def test_every_difference_has_its_reason() -> None:
    rows = {**attributes(), **variables()}
    assert [name for name, row in rows.items() if not row.same and not row.sometimes and not row.why] == []


def test_context_and_environment_tell_the_same(seen: Seen) -> None:
    pairs = {
        "function_name": "AWS_LAMBDA_FUNCTION_NAME",
        "function_version": "AWS_LAMBDA_FUNCTION_VERSION",
        "memory_limit_in_mb": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "log_group_name": "AWS_LAMBDA_LOG_GROUP_NAME",
        "log_stream_name": "AWS_LAMBDA_LOG_STREAM_NAME",
    }
    assert {name: seen.context[name] for name in pairs} == {
        name: seen.environment[variable] for name, variable in pairs.items()
    }


def test_the_deadline_is_max_runtime(task: Task) -> None:
    document = task.run("seen.handler", None, OVERTIME_MAX_RUNTIME_SECONDS="3600").result
    assert isinstance(document, dict)
    assert 3_590_000 < document["context"]["get_remaining_time_in_millis()"] <= 3_600_000


def test_the_handler_starts_in_the_folder_of_its_code(task: Task) -> None:
    document = task.run("seen.handler").result
    assert isinstance(document, dict)
    assert (document["cwd"], document["path"][0]) == (str(task.task_root), str(task.task_root))


def test_the_kernel_would_kill_the_handler_before_the_runner(task: Task) -> None:
    document = task.run("seen.handler").result
    assert isinstance(document, dict)
    assert document["oom_score_adj"] == "1000"


def test_a_log_level_of_the_functions_is_passed_on(task: Task) -> None:
    task.deploy("seen.handler", LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "LogGroup": "/own"})
    document = task.run().result
    assert isinstance(document, dict)
    names = "AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL", "AWS_LAMBDA_LOG_GROUP_NAME"
    assert [document["environment"][name] for name in names] == ["JSON", "WARN", "/own"]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_familys_row_says_what_starts_it_and_how_its_heap_is_limited(family: Family) -> None:
    started_by, *_, heap = families()[family.name]
    paths = [each.format(runtime="/var/runtime", task="/var/task", layer="/opt") for each in family.bootstraps]
    assert [path for path in paths if path not in started_by] == []
    options = [each.partition("{")[0].strip("=") for each in family.heap.option.split()] if family.heap else []
    assert re.findall(r"`(-[^`]*)`", heap) == [each for each in options if each]
    variables = (family.heap.variables[0], *family.heap.switches) if family.heap else ()
    assert [name for name in variables if f"`{name}`" not in heap] == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_familys_row_names_the_variables_that_it_has_not(family: Family) -> None:
    """Of those that the runner sets; the start scripts set others."""
    places = Places("/var/task", "/opt", "/var/runtime")

    def made(each: Family) -> dict[str, str]:
        function = Function("report")
        function.runtime = f"{each.name}1"
        derived = handler_environment.of_function(function, region="r", log_stream="s", trace_id="t")
        fixed = handler_environment.fixed(each, places)
        return handler_environment.combined(fixed, each, function, derived, runtime_api="127.0.0.1:9")

    python, own = made(PYTHON), made(family)
    differing = {name for name in python if own.get(name) != python[name]} - {"AWS_EXECUTION_ENV"}
    differing |= {"AWS_EXECUTION_ENV"} - own.keys()
    assert [name for name in differing if f"`{name}`" not in families()[family.name][1]] == []


def test_every_family_has_a_row() -> None:
    assert [*families()] == [family.name for family in FAMILIES]
