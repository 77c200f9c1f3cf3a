"""The runner in its portable Python, as in the image: it needs nothing else, and the function sees nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from overtime.runner.image import portable_python
from tests.doubles import runner_image
from tests.doubles.bootstrap import script
from tests.unit.runner.test_runner_start import run_code
from tests.unit.runner.test_runner_tls import Server, certificate
from tests.unit.runner.zips import FILE, packed

if TYPE_CHECKING:
    from tests.unit.runner.conftest import Task

LOOK = """
import json, os, sys

def handler(event, context):
    with open("/proc/self/maps") as file:
        mapped = sorted({line.split(maxsplit=5)[5].strip() for line in file if "/" in line})
    return {"environment": dict(os.environ), "arguments": sys.orig_argv[1:], "mapped": mapped, "path": sys.path}
"""
OF_EACH_RUN = ("AWS_LAMBDA_RUNTIME_API", "_X_AMZN_TRACE_ID")
FETCH = """
import sys
sys.path.insert(0, sys.argv[1])
from overtime.runner.transport import Client, Url
print(bytes(Client(sys.argv[2]).send(Url(sys.argv[3])).body))
"""


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the runner's portable Python of this one."""
    return runner_image.portable(tmp_path_factory.mktemp("image"))


@pytest.fixture
def portable_task(task: Task, portable: Path) -> Task:
    """Give a task whose runner starts as the image's entry point starts it."""
    task.command = portable_python.command(portable)
    return task


def test_nothing_of_it_is_in_the_functions_process(task: Task, portable: Path) -> None:
    """Variables, arguments, libraries and search path are those that the same function has without it."""
    seen = []
    for command in (task.command, portable_python.command(portable)):
        task.command = command
        result = run_code(task, {"app.py": LOOK}, OWN="1").result
        assert isinstance(result, dict)
        for name in OF_EACH_RUN:
            del result["environment"][name]
        seen.append(result)
    scripts = [[*result.pop("arguments")] for result in seen]
    assert seen[0] == seen[1]
    # The last one is the runtime's script, which is the runner's own because this machine has none of AWS's.
    assert [[Path(each).name for each in arguments] for arguments in scripts] == [["-X", "opt", "bootstrap.py"]] * 2
    assert not [file for file in seen[1]["mapped"] if file.startswith(str(portable))]


def test_a_node_function_gets_the_tasks_heap_through_the_images_wrapper(portable_task: Task) -> None:
    """The start script runs it as AWS's do: with the interpreter's command line, which ends with the script."""
    task = portable_task
    client = task.folder / "client"
    client.write_text(script())
    bootstrap = task.folder / "runtime" / "bootstrap"
    bootstrap.write_text(f'#!/bin/sh\nexec "$AWS_LAMBDA_EXEC_WRAPPER" {sys.executable} -IS {client} "last one"\n')
    bootstrap.chmod(0o755)
    task.standin.add_function(packed(("handler.txt", b"", FILE | 0o644 << 16)), Handler="a.seen", Runtime="nodejs22.x")
    seen = task.run(OVERTIME_RUNTIME="nodejs22.x").result
    assert isinstance(seen, dict)
    option = "--max-old-space-size=1843"
    assert seen["arguments"] == [str(client), option, "last one"]
    assert seen["environment"]["NODE_OPTIONS"] == option
    assert [name for name in seen["environment"] if "WRAPPER" in name or name.startswith("OVERTIME_")] == []


@pytest.mark.parametrize(("handler", "code"), [("behaviours.nothing", 0), ("behaviours.raises", 1)])
def test_it_runs_a_function_to_its_end(portable_task: Task, handler: str, code: int) -> None:
    ended = portable_task.run(handler)
    assert (ended.code, ended.errors) == (code, "")
    assert int(ended.report["Max Memory Used"].removesuffix(" MB")) > 0


def test_it_speaks_tls_to_a_host_by_its_name(portable: Path, tmp_path: Path) -> None:
    """The modules for that are loaded late."""
    file = certificate(tmp_path, x509.DNSName("localhost"))
    server = Server(file)
    try:
        url = f"https://localhost:{server.server.server_port}/"
        python = portable_python.command(portable)[:-1]
        command = [*python, "-c", FETCH, str(portable / "app"), str(file), url]
        done = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    finally:
        server.server.shutdown()
        server.server.server_close()
    assert (done.stdout, done.stderr) == ("b'secure'\n", "")


def test_it_starts_whatever_the_variables_say(portable: Path) -> None:
    """The image's variables are for the function's runtime; the loader and the interpreter take none of these."""
    names = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONPLATLIBDIR", "LOCPATH")
    command = portable_python.command(portable)
    told = subprocess.run(command, env=dict.fromkeys(names, "/no"), capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr.partition(":")[0]) == (64, "overtime")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the root")
def test_it_starts_where_there_is_nothing_else(portable: Path) -> None:
    """No C library, no shell, no /etc: as in a base image of any other kind."""
    root = portable.parent
    told = portable_python.start(portable_python.command(portable, root), root)
    assert (told.returncode, told.stderr.partition(":")[0]) == (64, "overtime")


def test_it_has_no_sources_but_those_that_the_functions_python_runs(portable: Path) -> None:
    """That Python may be of any version, and reads no other's compiled files."""
    sources = {file.relative_to(portable / "app").as_posix() for file in portable.rglob("*.py")}
    assert sources == set(portable_python.SCRIPTS)


def test_everyone_may_read_it_whatever_the_umask(portable: Path) -> None:
    """The runner's user owns none of it."""
    modes = {path.stat().st_mode & 0o777 for path in (portable, *portable.rglob("*"))}
    assert modes == {0o755, 0o644}


def test_two_builds_of_the_same_files_are_the_same(portable: Path, tmp_path: Path) -> None:
    """So images for several runtimes share the layer, in the registry and on a host."""
    packed = []
    for folder in (portable.parent, runner_image.portable(tmp_path).parent):
        command = ["tar", "--sort=name", "--create", "--directory", str(folder), "."]
        packed.append(subprocess.run(command, capture_output=True, check=True).stdout)
    assert packed[0] == packed[1]
