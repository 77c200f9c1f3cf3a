from __future__ import annotations

import functools
import io
import json
import os
import select
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.doubles.runner_aws import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[3]
HANDLERS = ROOT / "tests" / "handlers"
AT_MOST_SECONDS = 30


def assert_gone(pid: int) -> None:
    """Wait for the end of a process that may have ended already."""
    if sys.platform != "linux":
        raise NotImplementedError("the conftest.py at the top leaves these tests out elsewhere")
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], AT_MOST_SECONDS)[0], "it still runs"
    os.close(descriptor)


@functools.cache
def zipped(folder: Path) -> bytes:
    """Pack a folder as a deployment does."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(folder.rglob("*.py")):
            opened.write(path, path.relative_to(folder))
    return data.getvalue()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What is left of a runner that has ended."""

    code: int
    output: str
    errors: str
    standin: StandIn

    @property
    def result(self) -> object:
        """The result object, read as JSON."""
        assert self.standin.result is not None, f"no result was written: {self.output}{self.errors}"
        return json.loads(self.standin.result)

    @property
    def state(self) -> object:
        """How the ledger has the run."""
        return self.standin.run["state"]["S"]

    @property
    def error(self) -> dict[str, object]:
        """The result, where it is Lambda's error document."""
        assert isinstance(self.result, dict)
        return self.result

    @property
    def report(self) -> dict[str, str]:
        """The fields of the REPORT line."""
        line = next(line for line in self.output.splitlines() if line.startswith("REPORT "))
        pairs = (field.split(": ", 1) for field in line.split("\t") if field.strip())
        return {name.removeprefix("REPORT "): value for name, value in pairs}


class Task:
    """The runner as a process of this machine, in folders of its own, against the stand-in for AWS."""

    def __init__(self, standin: StandIn, folder: Path) -> None:
        self.standin, self.folder = standin, folder
        self.task_root, self.layer_root = folder / "task", folder / "opt"
        for place in (self.task_root, self.layer_root, folder / "runtime"):
            place.mkdir()
        self.command: Sequence[str] = (sys.executable, "-s", "-S", "-m", "overtime.runner")
        self._started: list[subprocess.Popen[bytes]] = []

    def deploy(
        self,
        handler: str,
        *,
        layers: Mapping[str, bytes] | None = None,
        variables: Mapping[str, str] | None = None,
        qualifier: str | None = None,
        **configuration: object,
    ) -> None:
        """Put tests/handlers into the stand-in Lambda, with one of its handlers as the function's or a version's."""
        environment: dict[str, object] = {"Variables": dict(variables)} if variables else {}
        self.standin.add_function(
            zipped(HANDLERS),
            layers=layers,
            qualifier=qualifier,
            Handler=handler,
            Environment=environment,
            **configuration,
        )

    def run(self, handler: str | None = None, event: object = None, /, **environ: str) -> Ended:
        """Deploy, record the run with this event, and let the runner continue it to its end."""
        if handler is not None:
            self.deploy(handler)
        self.standin.add_run(json.dumps(event).encode())
        return self.ended(self.start(**environ))

    def start(self, stream: int = subprocess.PIPE, /, **environ: str) -> subprocess.Popen[bytes]:
        """Start the runner on the run that is recorded; `stream` takes its stdout and its stderr."""
        return self._start({**self.standin.task_environment(), **environ}, stream)

    def by_hand(self, event: str, handler: str | None = None, **environ: str) -> Ended:
        """Start the runner with what a person would set, on the code in tests/handlers, and wait for its end."""
        own = {"AWS_LAMBDA_FUNCTION_EVENT": event, "LAMBDA_TASK_ROOT": str(HANDLERS)}
        if handler is not None:
            own["AWS_LAMBDA_HANDLER_PATH"] = handler
        return self.ended(self._start({**own, **environ}))

    def ended(self, process: subprocess.Popen[bytes]) -> Ended:
        """Wait for a runner's end."""
        output, errors = process.communicate(timeout=AT_MOST_SECONDS)
        return Ended(code=process.returncode, output=output.decode(), errors=errors.decode(), standin=self.standin)

    def close(self) -> None:
        """End what a failed test has left behind."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def _start(self, environ: Mapping[str, str], stream: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        places = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LAMBDA_TASK_ROOT": str(self.task_root),
            "LAMBDA_RUNTIME_DIR": str(self.folder / "runtime"),
            "OVERTIME_LAYER_ROOT": str(self.layer_root),
            "OVERTIME_PATIENCE_SECONDS": "0",
            "OVERTIME_RESULT_PATIENCE_SECONDS": "0",
        }
        process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=places | dict(environ),
            stdout=stream,
            stderr=stream,
        )
        self._started.append(process)
        return process


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """Give an AWS of this test's own."""
    with StandIn() as opened:
        yield opened


@pytest.fixture
def task(standin: StandIn, tmp_path: Path) -> Iterator[Task]:
    """Give a task of this test's own."""
    made = Task(standin, tmp_path)
    yield made
    made.close()
