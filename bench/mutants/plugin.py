"""A plugin of pytest's: notes which functions each test runs, or runs chosen tests in a chosen order.

A variable says which: `MUTANTS_NOTES`, a file to write; `MUTANTS_TESTS`, a file to read; or `MUTANTS_CELLS`, a seed, a
number of cells of the fault matrix, and the part that they are about.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from hypothesis import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

NOTES, TESTS, CELLS = "MUTANTS_NOTES", "MUTANTS_TESTS", "MUTANTS_CELLS"
ROOT = Path.cwd()

# A counterexample is enough; making it small takes minutes.
hypothesis.settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], database=None)
hypothesis.settings.load_profile("mutants")


class Notes:
    """Which functions each test ran, in this process and in the runners that it started, and how long it took."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ran: set[CodeType] = set()
        self.of_runners = file.with_suffix(".runners")
        self.of_runners.mkdir()
        self.found: dict[str, dict[str, object]] = {}
        self._passed: dict[str, bool] = defaultdict(lambda: True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note what one test runs."""
        self._ran.clear()
        began = time.perf_counter()
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
            self.found[item.nodeid] = {"seconds": time.perf_counter() - began, "functions": sorted(self._functions())}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Forget tests that did not pass: with them a mutant would be killed by chance."""
        self._passed[report.nodeid] &= report.passed

    def pytest_sessionfinish(self) -> None:
        """Write everything down."""
        passed = {name: each for name, each in self.found.items() if self._passed[name]}
        self._file.write_text(json.dumps(passed), encoding="utf-8")

    def _trace(self, frame: FrameType, _event: str, _argument: object) -> None:
        self._ran.add(frame.f_code)

    def _functions(self) -> set[str]:
        found = {f"{code.co_filename}:{code.co_firstlineno}" for code in self._ran}
        for file in self.of_runners.iterdir():
            found |= set(file.read_text(encoding="utf-8").split("\n"))
            file.unlink()
        paths: dict[str, str] = {}
        for each in found:
            path, _, line = each.rpartition(":")
            if path.startswith(str(ROOT)):
                paths[each] = f"{Path(path).resolve().relative_to(ROOT)}:{line}"
        return set(paths.values())


class Chosen:
    """Runs the tests of a list, in its order."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out all others."""
        known = {item.nodeid: item for item in items}
        items[:] = [known[name] for name in self._names if name in known]


class Cells:
    """Plays some cells of the fault matrix."""

    def __init__(self, seed: str, number: str, part: str = "") -> None:
        self._random = random.Random(seed)  # noqa: S311 -- no secret
        self._number, self._part = int(number), part

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out all others."""
        found = [item for item in items if f"[{self._part}" in item.nodeid and " | " in item.nodeid]
        items[:] = self._random.sample(found, min(self._number, len(found)))


def pytest_configure(config: pytest.Config) -> None:
    """Do what the variables say."""
    if NOTES in os.environ:
        config.pluginmanager.register(Notes(Path(os.environ[NOTES])))
    if TESTS in os.environ:
        names = json.loads(Path(os.environ[TESTS]).read_text(encoding="utf-8"))
        config.pluginmanager.register(Chosen(names))
    if CELLS in os.environ:
        config.pluginmanager.register(Cells(*os.environ[CELLS].split()))
