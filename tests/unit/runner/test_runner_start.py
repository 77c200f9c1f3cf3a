"""The handler's process starts as on Lambda: with the same in it whichever way, and through a wrapper script."""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.doubles.runner_aws import REQUEST_ID
from tests.unit.runner.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.unit.runner.conftest import Ended, Task

BOOTSTRAP = """
import os
import site
import sys
import awslambdaric.__main__ as awslambdaricmain

def main():
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    site.addsitedir(os.environ["LAMBDA_TASK_ROOT"])
    awslambdaricmain.main([os.environ["LAMBDA_TASK_ROOT"], os.environ["_HANDLER"]])

if __name__ == "__main__":
    main()
"""
"""A script of the base image's own."""
FRESH = "LC_OVERTIME_TEST"
"""A variable that an interpreter would read as it starts, so that the function's must be there by then."""


def packed(files: Mapping[str, str]) -> bytes:
    """Pack files as a deployment does."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return data.getvalue()


def run_code(task: Task, files: Mapping[str, str], **variables: str) -> Ended:
    """Run a function whose code these files are."""
    environment = {"Variables": variables}
    task.standin.add_function(packed(files), Handler="app.handler", Environment=environment)
    return task.run()


def wrapped(task: Task, text: str, handler: str = "app.handler", *, mode: int = 0o755) -> Ended:
    """Run a handler through a wrapper script."""
    wrapper = task.folder / "wrapper"
    wrapper.write_text(text)
    wrapper.chmod(mode)
    task.deploy(handler, variables={"AWS_LAMBDA_EXEC_WRAPPER": str(wrapper)})
    return task.run()


def started(task: Task, **variables: str) -> dict[str, Any]:
    """Start a handler that tells what it found, and leave out what differs from run to run."""
    task.deploy("started.handler", variables=variables)
    found = task.run().result
    assert isinstance(found, dict)
    for name in ("_X_AMZN_TRACE_ID", "AWS_LAMBDA_RUNTIME_API", *variables):
        del found["environment"][name]
    return found


@pytest.mark.parametrize("image_has_bootstrap", [False, True])
def test_both_ways_to_start_the_interpreter_are_equal(task: Task, image_has_bootstrap: bool) -> None:  # noqa: FBT001
    """The one that is started ahead has the modules, path, flags, arguments, variables and folder of the other."""
    if image_has_bootstrap:
        (task.folder / "runtime" / "bootstrap.py").write_text(BOOTSTRAP)
    ahead = started(task)
    for file in task.task_root.rglob("*.py"):
        file.unlink()
    fresh = started(task, **{FRESH: "x"})
    assert ahead.keys() == fresh.keys()
    for name in ahead:
        assert ahead[name] == fresh[name], name


@pytest.mark.parametrize("name", ["http", "pkgutil", "queue", "select", "secrets"])
def test_a_module_of_the_functions_own_shadows_one_of_pythons(task: Task, name: str) -> None:
    """As far as it does on Lambda, where the runtime has not imported it before."""
    files = {f"{name}.py": "own = 'mine'", "app.py": f"import {name}\ndef handler(*_): return {name}.own"}
    assert run_code(task, files).result == "mine"


def test_what_an_image_runs_as_python_starts_sees_the_functions_variables_and_none_of_ours(task: Task) -> None:
    hooks = task.folder / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text("import os, sys\nsys.found = dict(os.environ)\n")
    code = {"app.py": "import sys\ndef handler(*_): return sys.found"}
    task.standin.add_function(packed(code), Handler="app.handler", Environment={"Variables": {"GREETING": "hello"}})
    environ = task.standin.task_environment() | {"LAMBDA_TASK_ROOT": str(task.task_root)}
    found = json.loads(task.by_hand("1", PYTHONPATH=str(hooks), **environ).output)
    assert found["GREETING"] == "hello"
    assert [name for name in found if name.startswith("OVERTIME_")] == []


def test_error_monitors_find_the_runtime_client_where_the_image_has_no_bootstrap(task: Task) -> None:
    assert task.run("monitored.handler").result == ["before", "LambdaRuntimeClient"]


def test_every_invocation_has_a_trace_that_is_not_sampled(task: Task) -> None:
    found = task.run("traced.handler").result
    assert isinstance(found, dict)
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", found["root"])
    assert re.fullmatch(r"[0-9a-f]{16}", found["parent"])
    assert found["sampled"] == "0"


def test_a_trace_that_is_known_is_kept(task: Task) -> None:
    context = json.dumps({"trace_id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"})
    found = json.loads(task.by_hand("1", "traced.handler", AWS_LAMBDA_FUNCTION_CONTEXT=context).output)
    assert found == {"root": "1-5759e988-bd862e3fe1be46a994272793", "parent": "53995c3f42cd8ad8", "sampled": "1"}


def test_a_wrapper_may_put_options_before_the_last_argument(task: Task) -> None:
    """The example of AWS's guide does so: `python3 -X importtime bootstrap.py`."""
    ended = wrapped(task, '#!/bin/bash\nexec "${@:1:$#-1}" -X warn_default_encoding "${@: -1}"\n', "seen.handler")
    assert isinstance(ended.result, dict)
    assert ended.result["arguments"][-3:-1] == ["-X", "warn_default_encoding"]


def test_a_wrapper_needs_no_first_line(task: Task) -> None:
    """Lambda's bootstrap is a bash script, and bash runs one that the kernel does not know."""
    ended = wrapped(
        task, 'words=(wrapped)\n[[ ${words[0]} == w* ]] && GREETING=${words[0]} exec "$@"\n', "at_import.handler"
    )
    assert ended.result == "wrapped"


def test_a_wrapper_may_leave_the_runtime_nothing_but_what_lambdas_own_reads(task: Task) -> None:
    names = ("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "_HANDLER")
    kept = " ".join(f'{name}="${name}"' for name in names)
    ended = wrapped(task, f'#!/bin/sh\nexec env -i {kept} "$@"\n')
    assert (ended.code, ended.state) == (0, "succeeded")


def test_a_wrapper_sees_lambdas_variables_and_none_of_the_runners(task: Task) -> None:
    ended = wrapped(task, '#!/bin/sh\nenv >&2\nexec "$@"\n')
    names = {line.partition("=")[0] for line in ended.errors.splitlines()}
    assert {"AWS_LAMBDA_RUNTIME_API", "_LAMBDA_TELEMETRY_LOG_FD", "_HANDLER"} <= names
    assert [name for name in names if name.startswith("OVERTIME_")] == []


def test_a_wrappers_pipes_end_as_on_lambda(task: Task) -> None:
    """A Python process ignores SIGPIPE, and what it starts would inherit that."""
    ended = wrapped(task, '#!/bin/sh\nseq 1000000 | head -n 1 >&2\nexec "$@"\n')
    assert ended.errors == "1\n"


@pytest.mark.parametrize(
    ("mode", "status", "line"),
    [(None, 127, "does not exist"), (0o644, 126, "is not an executable")],
)
def test_a_wrapper_that_cannot_be_started_is_lambdas_exit_error(
    task: Task, mode: int | None, status: int, line: str
) -> None:
    wrapper = task.folder / "wrapper"
    if mode is None:
        task.deploy("app.handler", variables={"AWS_LAMBDA_EXEC_WRAPPER": str(wrapper)})
        ended = task.run()
    else:
        ended = wrapped(task, "exit 0", mode=mode)
    assert (ended.code, ended.state, ended.error["errorType"]) == (1, "failed", "Runtime.ExitError")
    assert ended.error["errorMessage"] == (
        f"RequestId: {REQUEST_ID} Error: Runtime exited with error: exit status {status}"
    )
    assert f"{wrapper}: {line}" in ended.output.splitlines()


@pytest.mark.parametrize(("script", "oldest"), [("bootstrap.py", (3, 9)), ("child.py", (3, 11))])
def test_the_scripts_for_the_functions_interpreter_are_python_of_its_version(
    script: str, oldest: tuple[int, int]
) -> None:
    """It may be older than the runner's; only interpreters from 3.11 are started ahead, by child.py."""
    ast.parse((ROOT / "runner" / script).read_text(encoding="utf-8"), feature_version=oldest)
