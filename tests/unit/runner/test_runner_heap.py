"""Node.js, Java and .NET get a heap for the task's memory, whichever way AWS's programs limit it by the function's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtime.contract.runtimes import DOTNET, FAMILIES, JAVA, NODEJS, Family
from overtime.runner.heap import WRAPPER, with_heap
from tests.unit.runner.test_runner_runtimes import HANDLER, managed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.runner.conftest import Task

MEMORY_ARGUMENTS = """\
set -- --max-old-space-size=$((AWS_LAMBDA_FUNCTION_MEMORY_SIZE * 9 / 10))
"""
ALWAYS = MEMORY_ARGUMENTS
"""How older start scripts of AWS limit the heap."""
UNLESS_SET = f"""\
set --
case "$NODE_OPTIONS" in *max-old-space-size*) ;; *) {MEMORY_ARGUMENTS.strip()} ;; esac
"""
"""How newer ones are reported to do it."""
START = """\
set -- "$NODE" --expose-gc "$@" "$SCRIPT"
[ -z "$AWS_LAMBDA_EXEC_WRAPPER" ] || set -- "$AWS_LAMBDA_EXEC_WRAPPER" "$@"
exec "$@"
"""
WITHOUT_WRAPPERS = 'set --\nexec "$NODE" "$SCRIPT"\n'
"""A start script that knows neither; that of a base image of one's own, say."""
TELLS = """\
const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => /OVERTIME|WRAPPER/.test(name)));
const mib = require("v8").getHeapStatistics().heap_size_limit / 1048576;
console.log(JSON.stringify({ mib, own, arguments: process.execArgv }));
"""


def made(
    environment: dict[str, str] | None = None, *, function_mib: int = 512, task_mib: int | None = 4096
) -> dict[str, str]:
    """Return a Node.js function's environment."""
    return with_heap(environment or {}, NODEJS.heap, function_mib=function_mib, task_mib=task_mib, wrapper=None)


@pytest.mark.parametrize(
    ("task_mib", "option"),
    [(1024, "--max-old-space-size=921"), (4096, "--max-old-space-size=3686"), (122_880, "--max-old-space-size=110592")],
)
def test_the_heap_is_most_of_the_tasks_memory(task_mib: int, option: str) -> None:
    assert made(task_mib=task_mib) == {"NODE_OPTIONS": option}


def test_a_small_task_keeps_enough_for_the_rest() -> None:
    assert made(function_mib=128, task_mib=512) == {"NODE_OPTIONS": "--max-old-space-size=416"}


@pytest.mark.parametrize(("function_mib", "task_mib"), [(512, 512), (3008, 2048), (512, None)])
def test_without_more_memory_the_limit_is_lambdas(function_mib: int, task_mib: int | None) -> None:
    """By hand, the task's memory is not known."""
    assert made(function_mib=function_mib, task_mib=task_mib) == {}


@given(st.integers(128, 10_240), st.integers(512, 122_880))
def test_the_heap_is_never_smaller_than_on_lambda_and_never_as_large_as_the_task(function: int, task: int) -> None:
    option = made(function_mib=function, task_mib=task).get("NODE_OPTIONS")
    if option is not None:
        assert function * 9 // 10 < int(option.partition("=")[2]) <= task - 51


def test_the_functions_own_options_stay() -> None:
    environment = made({"NODE_OPTIONS": "--enable-source-maps", "GREETING": "hello"})
    assert environment == {"NODE_OPTIONS": "--enable-source-maps --max-old-space-size=3686", "GREETING": "hello"}


@pytest.mark.parametrize("option", ["--max-old-space-size=300", "--enable-source-maps --max_old_space_size=300"])
def test_a_node_function_that_limits_its_heap_keeps_its_limit(option: str) -> None:
    assert made({"NODE_OPTIONS": option}) == {"NODE_OPTIONS": option}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, {"_JAVA_OPTIONS": "-Xmx3481m -Xshare:auto"}),
        ({"JAVA_TOOL_OPTIONS": "-Xss2m"}, {"JAVA_TOOL_OPTIONS": "-Xss2m", "_JAVA_OPTIONS": "-Xmx3481m -Xshare:auto"}),
        ({"_JAVA_OPTIONS": "-Xss2m"}, {"_JAVA_OPTIONS": "-Xss2m -Xmx3481m -Xshare:auto"}),
        ({"JAVA_TOOL_OPTIONS": "-Xmx300m"}, {"JAVA_TOOL_OPTIONS": "-Xmx300m"}),
        ({"JAVA_TOOL_OPTIONS": "-XX:MaxRAMPercentage=50"}, {"JAVA_TOOL_OPTIONS": "-XX:MaxRAMPercentage=50"}),
    ],
)
def test_java_gets_the_option_that_precedes_a_command_line(own: dict[str, str], expected: dict[str, str]) -> None:
    assert with_heap(own, JAVA.heap, function_mib=512, task_mib=4096, wrapper=None) == expected


@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java on the PATH")
def test_a_heap_above_32_gib_starts_although_the_archive_of_shared_classes_is_for_smaller_ones(tmp_path: Path) -> None:
    """With the options of AWS's start scripts."""
    archive = f"-XX:SharedArchiveFile={tmp_path / 'runtime.jsa'}"
    subprocess.run(["java", "-Xshare:dump", archive], capture_output=True, check=True)
    environment = with_heap({"PATH": os.environ["PATH"]}, JAVA.heap, function_mib=512, task_mib=40_960, wrapper=None)
    command = ["java", "-XX:MaxHeapSize=445645k", "-XX:+UseSerialGC", "-Xshare:on", archive, "-version"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


NO_CHECK = "AWS_LAMBDA_DOTNET_DISABLE_MEMORY_LIMIT_CHECK"


@pytest.mark.parametrize(
    ("own", "added"),
    [
        ({}, {"DOTNET_GCHeapHardLimit": "D9900000", NO_CHECK: "true"}),
        ({"DOTNET_gcServer": "1"}, {"DOTNET_GCHeapHardLimit": "D9900000", NO_CHECK: "true"}),
        ({"DOTNET_GCHeapHardLimit": "C800000"}, {}),
        ({"DOTNET_GCHeapHardLimitPercent": "4B"}, {}),
        ({"COMPlus_GCHeapHardLimit": "C800000"}, {}),
        ({NO_CHECK: "true"}, {}),
    ],
)
def test_dotnet_gets_a_limit_that_its_client_does_not_lower(own: dict[str, str], added: dict[str, str]) -> None:
    """3481 MiB, in bytes and hexadecimal, as .NET reads it. The client would lower it to the function's memory."""
    assert with_heap(own, DOTNET.heap, function_mib=512, task_mib=4096, wrapper=None) == own | added


@pytest.mark.parametrize(
    "family", [each for each in FAMILIES if each not in (NODEJS, JAVA, DOTNET)], ids=lambda each: each.name
)
def test_other_families_are_left_alone(family: Family) -> None:
    assert with_heap({}, family.heap, function_mib=512, task_mib=4096, wrapper=None) == {}


def started(folder: Path, limits: str, rest: str, node: str, **own: str) -> str:
    """Run a start script with the environment that a function of 128 MB gets in a task of 1024 MiB."""
    wrapper, script = folder / "heap-wrapper", folder / "index.js"
    wrapper.write_text(WRAPPER)
    wrapper.chmod(0o755)
    script.write_text(TELLS)
    lambdas = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "PATH": "/usr/bin:/bin", "NODE": node, "SCRIPT": str(script)}
    environment = with_heap(lambdas | own, NODEJS.heap, function_mib=128, task_mib=1024, wrapper=str(wrapper))
    done = subprocess.run(
        ["/bin/sh", "-c", limits + rest], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


def echo(folder: Path) -> str:
    """Make a program that prints its arguments in the place of Node.js."""
    program = folder / "node"
    program.write_text('#!/bin/sh\nfor each; do echo "$each"; done\nenv | grep -E "OVERTIME|WRAPPER"\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("limits", [ALWAYS, UNLESS_SET])
def test_the_wrapper_adds_the_option_where_the_last_one_counts(tmp_path: Path, limits: str) -> None:
    lines = started(tmp_path, limits, START, echo(tmp_path)).splitlines()
    assert lines[0] == "--expose-gc"
    assert lines[-2:] == ["--max-old-space-size=921", str(tmp_path / "index.js")], (
        "nothing of ours is in the environment"
    )


def test_the_functions_own_wrapper_follows_with_all_arguments_as_they_are(tmp_path: Path) -> None:
    own = tmp_path / "own wrapper"
    own.write_text('#!/bin/sh\necho "mine: $AWS_LAMBDA_EXEC_WRAPPER"\nexec "$@"\n')
    own.chmod(0o755)
    limits = 'set -- "--title=a  b" "" "*"\n'
    lines = started(tmp_path, limits, START, echo(tmp_path), AWS_LAMBDA_EXEC_WRAPPER=str(own)).splitlines()
    assert lines[0] == f"mine: {own}"
    assert lines[1:7] == [
        "--expose-gc",
        "--title=a  b",
        "",
        "*",
        "--max-old-space-size=921",
        str(tmp_path / "index.js"),
    ]
    assert lines[7:] == [f"AWS_LAMBDA_EXEC_WRAPPER={own}"]


def test_a_wrapper_that_is_not_there_ends_as_on_lambda(tmp_path: Path) -> None:
    told = started(tmp_path, ALWAYS, START, echo(tmp_path), AWS_LAMBDA_EXEC_WRAPPER="/nowhere/wrapper")
    assert told == "/nowhere/wrapper: does not exist\n"


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js on the PATH")
@pytest.mark.parametrize("limits", [ALWAYS, UNLESS_SET])
@pytest.mark.parametrize("rest", [START, WITHOUT_WRAPPERS])
def test_the_interpreter_has_the_tasks_heap(tmp_path: Path, limits: str, rest: str) -> None:
    """Its limit is that of the old space, and a little for the young one."""
    told = json.loads(started(tmp_path, limits, rest, str(shutil.which("node"))))
    assert 921 <= told["mib"] < 1024


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js on the PATH")
def test_without_the_wrapper_an_older_start_script_limits_the_heap_by_the_function(tmp_path: Path) -> None:
    """Which is why there is one."""
    rest = START.replace("[ -z", "true || [ -z")
    assert json.loads(started(tmp_path, ALWAYS, rest, str(shutil.which("node"))))["mib"] < 512


def test_a_run_gets_the_heap_of_its_task_and_sees_the_functions_memory(task: Task) -> None:
    """The task of these tests has 2048 MiB, the function 256 MB."""
    seen = managed(task, JAVA, "example.Handler::seen", HANDLER).result
    assert isinstance(seen, dict)
    environment = seen["environment"]
    assert environment["_JAVA_OPTIONS"] == "-Xmx1740m -Xshare:auto"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
