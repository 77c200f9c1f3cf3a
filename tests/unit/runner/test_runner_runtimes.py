"""Runtimes other than Python: which program starts them, what it sees, and how a run ends that it cannot begin.

AWS's own clients are tried in containers; here, a small client of ours does what AWS documents of theirs.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runtimes import FAMILIES, PROVIDED, PYTHON, Family
from tests.doubles.bootstrap import script
from tests.doubles.runner_aws import REQUEST_ID
from tests.unit.runner.zips import FILE, packed

if TYPE_CHECKING:
    from tests.unit.runner.conftest import Ended, Task

MANAGED = [family for family in FAMILIES if family not in (PYTHON, PROVIDED)]
OWN = "provided.al2023"
HANDLER = ("handler.txt", b"", FILE | 0o644 << 16)


def bootstrap(text: str | None = None, *, mode: int = 0o755) -> tuple[str, bytes, int]:
    """Return the function's own bootstrap as a member of its archive."""
    return "bootstrap", (script() if text is None else text).encode(), FILE | mode << 16


def run(task: Task, runtime: str, handler: str, *members: tuple[str, bytes, int], **environ: str) -> Ended:
    """Run a function with this runtime, in an image for it."""
    task.standin.add_function(packed(*members), Handler=handler, Runtime=runtime)
    return task.run(None, {"n": 7}, OVERTIME_RUNTIME=runtime, **environ)


def managed(task: Task, family: Family, handler: str, *members: tuple[str, bytes, int]) -> Ended:
    """Run a function of a managed runtime, whose client is in the image."""
    path = task.folder / "runtime" / "bootstrap"
    path.write_text(script())
    path.chmod(0o755)
    return run(task, f"{family.name}99", handler, *members)


@pytest.mark.parametrize("family", MANAGED, ids=lambda family: family.name)
def test_the_images_start_script_runs_a_function_of_a_managed_runtime(task: Task, family: Family) -> None:
    ended = managed(task, family, "index.echo", HANDLER)
    assert (ended.code, ended.state, ended.result) == (0, "succeeded", {"n": 7}), ended.errors


@pytest.mark.parametrize(
    "handler", ["index.seen", "example.Handler::seen", "Shop::Shop.Function::seen", "app.App.seen"]
)
def test_what_a_start_script_sees(task: Task, handler: str) -> None:
    """Exactly the handler's name as it is configured, the code's folder, and nothing of the runner."""
    family = MANAGED[0]
    seen = managed(task, family, handler, HANDLER).result
    assert isinstance(seen, dict)
    environment = seen["environment"]
    assert (environment["_HANDLER"], environment["AWS_EXECUTION_ENV"]) == (handler, f"AWS_Lambda_{family.name}99")
    assert (seen["cwd"], environment["LAMBDA_TASK_ROOT"]) == (str(task.task_root), str(task.task_root))
    assert seen["arguments"] == [str(task.folder / "runtime" / "bootstrap")]
    assert [name for name in environment if name.startswith(("OVERTIME_", "PYTHON"))] == []


def test_an_error_of_the_init_phase_is_the_runs(task: Task) -> None:
    ended = managed(task, MANAGED[0], "index.echo")
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "Runtime.HandlerNotFound")


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("raises", "Failed", "no such customer"),
        ("exits", "Runtime.ExitError", "Error: Runtime exited with error: exit status 3"),
        ("aborts", "Runtime.ExitError", "Error: Runtime exited with error: signal: aborted"),
        ("killed", "Runtime.ExitError", "Error: Runtime exited with error: signal: killed"),
    ],
)
def test_how_a_bootstrap_ends_is_the_outcome(task: Task, handler: str, error_type: str, message: str) -> None:
    ended = run(task, OWN, handler, bootstrap(), HANDLER)
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", error_type)
    assert str(ended.error["errorMessage"]).endswith(message)


def test_the_functions_own_bootstrap_comes_before_a_layers(task: Task) -> None:
    layer = packed(bootstrap("#!/bin/sh\nexit 9\n"))
    task.standin.add_function(packed(bootstrap(), HANDLER), layers={"runtime": layer}, Handler="echo", Runtime=OWN)
    assert task.run(None, [1], OVERTIME_RUNTIME=OWN).result == [1]


def test_a_layer_may_bring_the_bootstrap(task: Task) -> None:
    task.standin.add_function(packed(HANDLER), layers={"runtime": packed(bootstrap())}, Handler="echo", Runtime=OWN)
    assert task.run(None, [1], OVERTIME_RUNTIME=OWN).result == [1]


def test_a_wrapper_is_for_managed_runtimes_only(task: Task) -> None:
    """On Lambda, the start scripts of these run it; nothing does for a bootstrap of one's own."""
    task.standin.add_function(
        packed(bootstrap(), HANDLER),
        Handler="echo",
        Runtime=OWN,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/nowhere"}},
    )
    assert task.run(None, [1], OVERTIME_RUNTIME=OWN).result == [1]


ELF_OF_NO_MACHINE = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xff\x7f" + bytes(44)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ([HANDLER], "Couldn't find valid bootstrap(s): [{task}/bootstrap {layer}/bootstrap]"),
        ([("bootstrap/x", b"", FILE | 0o644 << 16)], "Couldn't find valid bootstrap(s): [{task}/bootstrap "),
        ([bootstrap(mode=0o644)], "fork/exec {task}/bootstrap: permission denied"),
        ([bootstrap("#!/nowhere/sh\n")], "fork/exec {task}/bootstrap: no such file or directory"),
        ([bootstrap("echo no first line\n")], "fork/exec {task}/bootstrap: exec format error"),
        ([("bootstrap", ELF_OF_NO_MACHINE, FILE | 0o755 << 16)], "fork/exec {task}/bootstrap: exec format error"),
    ],
)
def test_a_bootstrap_that_lambda_could_not_start_either_is_its_invalid_entrypoint(
    task: Task, members: list[tuple[str, bytes, int]], text: str
) -> None:
    """The handler's failure, with Lambda's words: the watcher does not launch the run again, and no bug is reported."""
    ended = run(task, OWN, "echo", *members)
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "Runtime.InvalidEntrypoint")
    message = str(ended.error["errorMessage"])
    shown = text.format(task=task.task_root, layer=task.layer_root)
    assert message.startswith(f"RequestId: {REQUEST_ID} Error: {shown}")
    assert message in ended.output.splitlines()
    assert ended.report["Error Type"] == "Runtime.InvalidEntrypoint"


def test_a_base_image_without_a_start_script_is_named_as_the_cause(task: Task) -> None:
    ended = run(task, "ruby3.4", "app.handler", HANDLER)
    assert (ended.code, ended.state, ended.error["errorType"]) == (65, "failed", "Overtime.Code")
    assert (
        f"this image cannot start ruby functions, because it has no {task.folder}/runtime/bootstrap. "
        "Set `image.base_images` to an AWS Lambda base image for ruby"
    ) in ended.errors


def test_an_image_for_python_without_python_is_named_as_the_cause(task: Task) -> None:
    task.deploy("app.handler")
    task.standin.add_run(b"1")
    ended = task.ended(task.start(PATH=os.devnull))
    assert ended.code == 65
    assert "this image has no python3 in /dev/null. Set `image.base_images` to an AWS Lambda base image" in ended.errors


def test_an_image_for_another_version_of_the_runtime_says_so(task: Task) -> None:
    """The function was changed outside of the stack, is being changed by an update, or an older version has failed."""
    task.standin.add_function(packed(bootstrap(), HANDLER), Handler="echo", Runtime="provided.al2023")
    ended = task.run(None, [1], OVERTIME_RUNTIME="provided.al2")
    assert ended.result == [1]
    assert ended.errors == (
        "overtime: report runs on provided.al2023, but this image starts provided.al2. "
        "If the function has changed since the stack was deployed, run `pulumi up`.\n"
    )


def test_by_hand_the_images_runtime_is_the_functions(task: Task) -> None:
    for member, content, attributes in (bootstrap(), HANDLER):
        (task.task_root / member).write_bytes(content)
        (task.task_root / member).chmod(attributes >> 16 & 0o777)
    own = {"LAMBDA_TASK_ROOT": str(task.task_root), "OVERTIME_RUNTIME": OWN}
    assert task.by_hand("[7]", "echo", **own).output == "[7]\n"
    (task.task_root / "bootstrap").rename(task.folder / "runtime" / "bootstrap")
    seen = json.loads(task.by_hand("1", "index.seen", **own | {"OVERTIME_RUNTIME": "nodejs22.x"}).output)
    assert seen["environment"]["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs22.x"


@pytest.mark.parametrize("own", [{}, {"LC_CTYPE": "C.UTF-8"}])
def test_by_hand_nothing_of_the_runners_interpreter_is_in_the_environment(task: Task, own: dict[str, str]) -> None:
    """Python sets LC_CTYPE where the locale is C; a person may do so, too."""
    (task.task_root / "bootstrap").write_text("#!/bin/sh\nenv >&2\nexit 1\n")
    (task.task_root / "bootstrap").chmod(0o755)
    ended = task.by_hand("1", "a", **own, LAMBDA_TASK_ROOT=str(task.task_root), OVERTIME_RUNTIME=OWN)
    assert [line for line in ended.errors.splitlines() if line.startswith("LC_")] == [
        f"{name}={value}" for name, value in own.items()
    ]
