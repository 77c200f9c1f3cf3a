"""`python -m bench.preview`: what of `pulumi preview` with ten functions is the program's own.

Three times in each round: a whole preview; the program's part of it (settings read, resources declared); and a preview
of a program that declares nothing, which is the engine alone. The rest is the providers'.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from unittest import mock

from local.demo.table import table
from local.emulator import EmulatorSettings
from local.stack import machine
from overtime import program
from overtime.automation import program as programs

if TYPE_CHECKING:
    from local.stack import Machine
    from overtime.program import Outputs

FUNCTIONS = 10
ROUNDS = 7


def main() -> int:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory(prefix="overtime-bench-") as folder,
        machine(EmulatorSettings(state_folder=Path(folder)), _tell) as here,
    ):
        whole, own, engine, resources = _measure(here)
    rows = [
        _row("whole preview", whole, whole),
        _row("the program's own part", own, whole),
        _row("engine alone (empty program)", engine, whole),
    ]
    print(f"\npulumi preview, {FUNCTIONS} functions, {resources} resources, {ROUNDS} rounds")
    print(table(("what", "median", "range", "share of the whole"), rows))
    return 0


def _measure(here: Machine) -> tuple[list[float], list[float], list[float], int]:
    function = {"code": "lambdas/primary", "handler": "handler.handler", "runtime": here.runtime}
    settings = {
        "functions": {f"f{number}": function for number in range(FUNCTIONS)},
        "image": {"base_images": {here.runtime: here.base.reference}, "python_image": here.base.reference},
    }
    whole, own, engine = [], [], []
    resources = 0
    for round_number in range(-1, ROUNDS):
        inside = _Timed()
        began = time.perf_counter()
        with mock.patch.object(programs, "build", inside):
            deployment = here.deployment(settings, stack="bench")
            parsed = time.perf_counter() - began
            resources = sum(deployment.preview().changes.values())
        took = time.perf_counter() - began
        with mock.patch.object(programs, "build", _nothing):
            before = time.perf_counter()
            here.deployment(settings, stack="empty").preview()
            alone = time.perf_counter() - before
        if round_number >= 0:  # the first one fills caches
            whole.append(took)
            own.append(parsed + inside.seconds)
            engine.append(alone)
    return whole, own, engine, resources


class _Timed:
    """The program, and how long it took to declare everything."""

    seconds = 0.0

    def __call__(self, *arguments: object, **options: object) -> Outputs:
        began = time.perf_counter()
        try:
            return program.build(*arguments, **options)  # type: ignore[arg-type] # handed through
        finally:
            self.seconds = time.perf_counter() - began


def _nothing(*_arguments: object, **_options: object) -> Outputs:
    return {}


def _row(what: str, seconds: list[float], whole: list[float]) -> tuple[str, str, str, str]:
    share = median(one / all_of_it for one, all_of_it in zip(seconds, whole, strict=True))
    return what, f"{median(seconds):.2f} s", f"{min(seconds):.2f} to {max(seconds):.2f} s", f"{share:.0%}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
