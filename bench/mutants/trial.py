"""Tries one change: in a copy of the project, with the tests that run the changed function, until one of them fails."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.mutants.plugin import CELLS, NOTES, TESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.mutants.mutations import Mutation

UNIT_TESTS = (
    *(f"tests/unit/{folder}" for folder in ("dispatcher", "watcher", "ledger", "runner", "settings")),
    *("tests/unit/test_contract.py", "tests/infra/test_run_task_request.py", "tests/infra/test_alarms.py"),
)
FAULT_MATRIX = "tests/faults/test_fault_matrix.py"
_PARTS = {"lambdas/dispatcher": "dispatcher", "lambdas/watcher": "watcher", "runner": "runner"}
"""Whose cells of the fault matrix are played for a change in which folder; for any other, all are."""
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "build")
_PATIENCE = 5
"""How many times as long as before a test may take; there may be other work for the machine."""
_START_SECONDS = 60
"""How long pytest may take until its first test."""
_NO_TESTS = 5
"""pytest's exit code if there is nothing to run."""
_FAILED = {1, 2}
"""pytest's exit codes if a test failed, or could not be imported."""
_TRACER = """
import os, sys, threading
_known, _notes = set(), os.open({folder!r} + str(os.getpid()), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
def _trace(frame, event, argument):
    code = frame.f_code
    if code not in _known:
        _known.add(code)
        try:
            os.write(_notes, f"{{code.co_filename}}:{{code.co_firstlineno}}\\n".encode())
        except OSError:
            pass
threading.settrace(_trace)
sys.settrace(_trace)
"""
"""What a runner, which is a process of its own, begins with while its functions are noted."""


class Fate(StrEnum):
    """What became of a change."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One change that was tried."""

    mutation: Mutation
    fate: Fate
    tests: int
    """The tests that were chosen."""
    seconds: float
    killer: str = ""
    """The test that failed."""


@dataclass
class Laboratory:
    """A copy of the project, and what is known of its tests."""

    root: Path
    folder: Path
    """Takes the copy and everything else that is written."""
    stages: Sequence[float]
    """Seconds of tests, as they took before: each stage runs the tests that follow, until they are used up."""
    cells: int
    """Cells of the fault matrix that are played for a change that survives all stages."""
    seed: int
    _tests: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    _seconds: dict[str, float] = field(default_factory=dict)
    _times: int = 0

    @property
    def copy(self) -> Path:
        """The copy."""
        return self.folder / "copy"

    def prepare(self) -> None:
        """Copy the project, and run its tests once to see which functions each runs."""
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.root, self.copy, symlinks=True, ignore=_NOT_COPIED)
        notes = self.folder / "notes.json"
        if not notes.exists():
            start = self.copy / "runner" / "__main__.py"
            tracer = _TRACER.format(folder=f"{notes.with_suffix('.runners')}/")
            source = start.read_text(encoding="utf-8")
            start.write_text(tracer + source, encoding="utf-8")
            self._pytest([*UNIT_TESTS, "-q"], {NOTES: str(notes)}, seconds=3600)
            start.write_text(source, encoding="utf-8")
        for name, note in json.loads(notes.read_text(encoding="utf-8")).items():
            self._seconds[name] = note["seconds"]
            for function in note["functions"]:
                self._tests[function].append((note["seconds"], name))
                self._tests[function.rpartition(":")[0]].append((note["seconds"], name))

    def source(self, path: str) -> bytes:
        """Read a file as it was."""
        return (self.root / path).read_bytes()

    def try_out(self, mutation: Mutation) -> Trial:
        """Change the copy, run tests until one fails, and change it back."""
        began = time.monotonic()
        self._put(mutation.path, mutation.apply(self.source(mutation.path)))
        try:
            tests = self._tests_of(mutation)
            for chosen in self._staged(tests):
                fate, killer = self._run(chosen)
                if fate is not Fate.SURVIVED:
                    break
            else:
                fate, killer = self._play(mutation)
        finally:
            self._put(mutation.path, self.source(mutation.path))
        seconds = time.monotonic() - began
        return Trial(mutation=mutation, fate=fate, tests=len(tests), seconds=seconds, killer=killer)

    def _tests_of(self, mutation: Mutation) -> list[str]:
        """List the tests that run the function: first the file that is named after its own, each file's fastest first.

        The others take turns, one of each file, because tests of different files fail for different reasons. What no
        test was seen to run, such as a module that contains only constants, gets all tests in random order.
        """
        function = f"{mutation.path}:{mutation.function}" if mutation.function else mutation.path
        known = set(self._tests.get(function, []))
        if not known:
            names = sorted(self._seconds)
            random.Random(self.seed).shuffle(names)  # noqa: S311 -- no secret
            part = f"tests/unit/{Path(mutation.path).parent.name}/"
            return sorted(names, key=lambda name: not name.startswith(part))
        own = f"/test_{Path(mutation.path).parent.name}_{Path(mutation.path).stem}.py::"
        turns: Counter[str] = Counter()
        order: list[tuple[bool, int, float, str]] = []
        for seconds, name in sorted(known):
            file = name.partition("::")[0]
            order.append((own not in name, turns[file], seconds, name))
            turns[file] += 1
        return [name for *_, name in sorted(order)]

    def _staged(self, tests: Iterable[str]) -> list[list[str]]:
        rest, stages = list(tests), []
        for budget in self.stages:
            chosen: list[str] = []
            while rest and (not chosen or sum(self._seconds[each] for each in [*chosen, rest[0]]) <= budget):
                chosen.append(rest.pop(0))
            if chosen:
                stages.append(chosen)
        return stages

    def _run(self, tests: Sequence[str]) -> tuple[Fate, str]:
        names = self.folder / "tests.json"
        names.write_text(json.dumps(tests), encoding="utf-8")
        files = list(dict.fromkeys(each.partition("::")[0] for each in tests))
        seconds = _START_SECONDS + _PATIENCE * sum(self._seconds[each] for each in tests)
        return self._pytest([*files, "-xq"], {TESTS: str(names)}, seconds=seconds)

    def _play(self, mutation: Mutation) -> tuple[Fate, str]:
        """Play cells of the fault matrix."""
        if not self.cells:
            return Fate.SURVIVED, ""
        part = _PARTS.get(Path(mutation.path).parent.as_posix(), "")
        return self._pytest([FAULT_MATRIX, "-xq"], {CELLS: f"{self.seed} {self.cells} {part}"}, seconds=900)

    def _put(self, path: str, source: bytes) -> None:
        file = self.copy / path
        file.write_bytes(source)
        # Compiled code is taken to be that of the source if size and second are the same.
        self._times += 1
        os.utime(file, (time.time(), 1_000_000_000 + self._times))

    def _pytest(self, arguments: Sequence[str], variables: Mapping[str, str], *, seconds: float) -> tuple[Fate, str]:
        environ: dict[str, Any] = {**os.environ, "PYTHONPYCACHEPREFIX": str(self.folder / "compiled"), **variables}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-m", "pytest", "-p", "bench.mutants.plugin", "-p", "no:cacheprovider", *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.copy,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return Fate.TIMED_OUT, ""
        finally:
            _end(process)
        if process.returncode in {0, _NO_TESTS}:
            return Fate.SURVIVED, ""
        lines = output.decode(errors="replace").splitlines()
        assert process.returncode in _FAILED, "\n".join(lines)
        return Fate.KILLED, next((line for line in lines if line.startswith(("FAILED tests/", "ERROR tests/"))), "")


def drawn(everything: Sequence[Mutation], count: int, seed: int) -> list[Mutation]:
    """Draw so many changes at random; the same seed draws the same from the same sources."""
    return random.Random(seed).sample(everything, min(count, len(everything)))  # noqa: S311 -- no secret


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and whatever of its group is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
