"""Measure the runner: process start → the handler's first line, the handler's return → exit, peak memory.

Three ways, interleaved, with a small archive and one of 20 MB in 2,000 files, against an endpoint on this machine:
the bare interpreter (which has the code in place and only calls the handler), the runner, and the obvious way. The
runner starts as in its image, in a portable Python that is made of this one.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.archives import FILES, filler, packed
from overtime.runner.image import portable_python
from tests.doubles import runner_image
from tests.doubles.runner_aws import StandIn

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
HANDLER = """
import time
def handler(event, context):
    first = time.monotonic_ns()
    print(f"FIRST {first}\\nLAST {time.monotonic_ns()}", flush=True)
    return event
"""
BARE = "import sys; sys.path.insert(0, sys.argv[1]); import app; app.handler({}, None)"
WAYS = ("bare", "runner", "obvious")
TARGET = 0.6
"""The runner's way to the handler's first line, everything included, over the obvious way's."""


class Figure:
    """One run: milliseconds to the handler's first line, and from its last to the exit."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end


class Bench:
    """One archive, deployed on the endpoint, and run in each way."""

    def __init__(self, standin: StandIn, folder: Path, code: bytes, portable: Path) -> None:
        self._standin, self._folder, self._code = standin, folder, code
        self._runner = portable_python.command(portable)
        self._ready = folder / "ready"
        with zipfile.ZipFile(io.BytesIO(code)) as opened:
            opened.extractall(self._ready)

    def measure(self, way: str) -> Figure:
        """Run once and return its times."""
        with tempfile.TemporaryDirectory(dir=self._folder) as place:
            began, process = self._started(way, Path(place))
            output, _ = process.communicate()
            ended = time.monotonic_ns()
        marks = dict(line.split() for line in output.decode().splitlines() if line.startswith(("FIRST", "LAST")))
        assert process.returncode == 0, f"{way} ended with {process.returncode}: {output!r}"
        return Figure((int(marks["FIRST"]) - began) / 1e6, (ended - int(marks["LAST"])) / 1e6)

    def peak_mib(self, way: str) -> float:
        """Run once and return the largest sum of what its processes held at one time (resident, shared pages once)."""
        with tempfile.TemporaryDirectory(dir=self._folder) as place:
            _, process = self._started(way, Path(place))
            peak = 0
            while process.poll() is None:
                peak = max(peak, _held_kib(process.pid))
                time.sleep(0.001)
            process.communicate()
        return peak / 1024

    def _started(self, way: str, place: Path) -> tuple[int, subprocess.Popen[bytes]]:
        task_root, layer_root = place / "task", place / "opt"
        task_root.mkdir()
        layer_root.mkdir()
        self._standin.add_function(self._code)
        self._standin.add_run(b'{"report": 1}')
        environ = {
            **self._standin.task_environment(),
            "AWS_DEFAULT_REGION": "eu-west-1",  # all that the SDK reads
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LAMBDA_TASK_ROOT": str(task_root),
            "LAMBDA_RUNTIME_DIR": str(place / "runtime"),
            "OVERTIME_LAYER_ROOT": str(layer_root),
        }
        command = {
            "bare": [sys.executable, "-c", BARE, str(self._ready)],
            "runner": self._runner,
            "obvious": [sys.executable, "-m", "bench.runner.baseline"],
        }[way]
        began = time.monotonic_ns()
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, start_new_session=True)
        return began, process


def _held_kib(session: int) -> int:
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) != session:
                continue
            lines = (entry / "smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration, ValueError):
            continue
    return total


def main(arguments: Sequence[str] = ()) -> int:
    """Print the tables, and end with 1 where the target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.runner", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (15)")
    rounds = parser.parse_args(arguments).rounds
    ratios = []
    scratch = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- the disk is not what is measured
    folder = Path(tempfile.mkdtemp(dir=scratch))
    (folder / "image").mkdir()
    try:
        portable = runner_image.portable(folder / "image")
        with StandIn() as standin:
            for title, files in (("small zip", 0), ("20 MB zip, 2,000 files", FILES)):
                code = packed({"app.py": HANDLER.encode(), **filler(files)})
                bench = Bench(standin, Path(tempfile.mkdtemp(dir=folder)), code, portable)
                ratios.append(table(f"{title} ({len(code):,} bytes)", bench, rounds))
    finally:
        shutil.rmtree(folder)
    met = max(ratios) <= TARGET
    print(f"runner ÷ obvious: {', '.join(f'{ratio:.2f}' for ratio in ratios)}; ", end="")
    print(f"target ≤ {TARGET:.2f} for both: {'met' if met else 'MISSED'}")
    return 0 if met else 1


def table(title: str, bench: Bench, rounds: int) -> float:
    """Measure one archive in every way, print its rows, and return the runner's start over the obvious way's."""
    figures: dict[str, list[Figure]] = {way: [] for way in WAYS}
    for number in range(rounds + 1):
        for way in WAYS:
            figure = bench.measure(way)
            if number:  # the first round fills the caches
                figures[way].append(figure)
    start = {way: [figure.start for figure in figures[way]] for way in WAYS}
    print(f"\nrunner, {title}: {rounds} interleaved rounds, median (min-max) in ms")
    print(f"{'way':10}{'start → first line':>26}{'÷ obvious':>11}{'÷ bare':>8}{'return → exit':>24}{'peak MiB':>10}")
    for way in WAYS:
        middle = statistics.median(start[way])
        print(
            f"{way:10}{_spread(start[way]):>26}{middle / statistics.median(start['obvious']):>11.2f}"
            f"{middle / statistics.median(start['bare']):>8.1f}{_spread([f.end for f in figures[way]]):>24}"
            f"{statistics.median(bench.peak_mib(way) for _ in range(3)):>10.1f}"
        )
    return statistics.median(start["runner"]) / statistics.median(start["obvious"])


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
