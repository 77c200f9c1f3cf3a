"""Measure the start of Node.js and Java functions in the runner's image: process start → the handler's first line.

Three ways, interleaved, in one container, with a small archive and one of 20 MB in 2,000 files: the bare interpreter,
AWS's client alone (start script and Runtime API, the code in place), and the runner, which claims the run and fetches
the code besides. The runner's own share is its start less that of the client alone.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from bench.archives import FILES, filler, packed
from bench.images import runner_image, tell
from bench.starts.programs import CODE, PROGRAMS, Program
from local.containers import container_engine
from overtime.runner.image.portable_python import PLACE, command
from overtime.runner.runtime_api import NextInvocation, RuntimeApi
from tests.doubles.runner_aws import FUNCTION_ARN, StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local.docker_daemon import ContainerEngine

WAYS = ("bare", "client", "runner")
TARGET_MS = 120.0
"""The runner's own share, with the small archive."""
PORTABLE = command(Path(PLACE))
INSIDE = Path(__file__).with_name("inside.py")
REQUEST_ID = "11111111-2222-4333-8444-555555555555"


class Bench:
    """One program, deployed on the endpoint, and started in each way in one container."""

    def __init__(self, program: Program, standin: StandIn, container: subprocess.Popen[str], code: bytes) -> None:
        self._program, self._standin, self._container, self._code = program, standin, container, code

    def milliseconds(self, way: str) -> float:
        """Start once, and return the time until the handler's first line."""
        match way:
            case "bare":
                return self._timed([*self._program.bare], {})
            case "client":
                return self._client()
            case _:
                runtime, handler = self._program.runtime, self._program.handler
                self._standin.add_function(self._code, Runtime=runtime, Handler=handler)
                self._standin.add_run(b"{}")
                environ = self._standin.task_environment() | {"OVERTIME_RUNTIME": runtime}
                return self._timed(PORTABLE, environ, until_exit=True)

    def _client(self) -> float:
        headers = {
            "Lambda-Runtime-Aws-Request-Id": REQUEST_ID,
            "Lambda-Runtime-Deadline-Ms": "4000000000000",
            "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
        }
        api = RuntimeApi(NextInvocation(REQUEST_ID, b"{}", headers), SimpleQueue(), lambda: None)
        try:
            environ = {
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                "AWS_LAMBDA_FUNCTION_NAME": "report",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/report",
                "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "AWS_REGION": "eu-west-1",
                "LAMBDA_RUNTIME_DIR": "/var/runtime",
                "LAMBDA_TASK_ROOT": CODE,
                "_HANDLER": self._program.handler,
            }
            return self._timed(["/var/runtime/bootstrap"], environ)
        finally:
            api.close()

    def _timed(self, argv: list[str], environ: dict[str, str], *, until_exit: bool = False) -> float:
        path = {"PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin"}
        order = {"argv": argv, "env": path | environ, "cwd": CODE, "until_exit": until_exit}
        assert self._container.stdin is not None
        assert self._container.stdout is not None
        self._container.stdin.write(json.dumps(order) + "\n")
        self._container.stdin.flush()
        answer: dict[str, Any] = json.loads(self._container.stdout.readline())
        firsts = [line.partition("FIRST ")[2] for line in answer["output"].splitlines() if "FIRST " in line]
        if not firsts or (until_exit and answer["status"]):
            raise SystemExit(f"{argv[0]} ended with {answer['status']}: {answer['output']}")
        return float(int(firsts[0].split()[0]) - answer["began"]) / 1e6


@contextmanager
def container(docker: ContainerEngine, image: str, code: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `inside.py` in a container of the image, as root, with the host's network, until it is no longer needed."""
    entry, *rest = PORTABLE
    docker_run = ["docker", "--host", docker.host, "run", "--rm", "--interactive", "--network=host", "--user=0:0"]
    docker_run += [
        f"--volume={code}:{CODE}:ro",
        f"--volume={INSIDE}:/bench/inside.py:ro",
        f"--entrypoint={entry}",
        image,
    ]
    with subprocess.Popen(
        [*docker_run, *rest[:-1], "/bench/inside.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def main(arguments: Sequence[str] = ()) -> int:
    """Print the table, and end with 1 where the target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.starts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="interleaved rounds (11)")
    rounds = parser.parse_args(arguments).rounds
    shares = {}
    with container_engine(tell) as docker, StandIn() as standin:
        for program in PROGRAMS:
            with runner_image(docker, program.runtime) as (_, image):
                for title, files in (("small", 0), ("20 MB", FILES)):
                    figures = measured(docker, image, standin, program, files, rounds)
                    shares[program.runtime, title] = table(f"{program.runtime}, {title} archive", figures, rounds)
    met = max(share for (_, title), share in shares.items() if title == "small") <= TARGET_MS
    print(f"\nrunner's own share, small archive: target ≤ {TARGET_MS:g} ms on a quiet machine: ", end="")
    print("met" if met else "MISSED")
    return 0 if met else 1


def measured(  # noqa: PLR0913, PLR0917 -- all that makes up one table
    docker: ContainerEngine, image: str, standin: StandIn, program: Program, files: int, rounds: int
) -> dict[str, list[float]]:
    """Start the program in every way, in turn."""
    with tempfile.TemporaryDirectory(prefix="overtime-bench-") as work:
        place = Path(work) / "code"
        place.mkdir()
        code = packed({**program.files(Path(work)), **filler(files)})
        with zipfile.ZipFile(io.BytesIO(code)) as opened:
            opened.extractall(place)
        figures: dict[str, list[float]] = {way: [] for way in WAYS}
        with container(docker, image, place) as process:
            bench = Bench(program, standin, process, code)
            for number in range(rounds + 1):
                for way in WAYS:
                    figure = bench.milliseconds(way)
                    if number:  # the first round fills the caches
                        figures[way].append(figure)
    return figures


def table(title: str, figures: dict[str, list[float]], rounds: int) -> float:
    """Print one table, and return the runner's own share in milliseconds."""
    middle = {way: statistics.median(figures[way]) for way in WAYS}
    share = middle["runner"] - middle["client"]
    print(f"\nstart, {title}: {rounds} interleaved rounds, median (min-max) in ms until the handler's first line")
    for way in WAYS:
        spread = f"{middle[way]:.1f} ({min(figures[way]):.1f}-{max(figures[way]):.1f})"
        print(f"{way:10}{spread:>26}{middle[way] / middle['bare']:>8.1f} ÷ bare")
    print(f"the runner's own share: {share:.1f} ms")
    return share


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
