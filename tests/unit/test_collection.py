"""No test stands where pytest does not look."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITES = (ROOT / "tests", ROOT / "local" / "tests")


def below(*parts: str, pattern: str) -> list[Path]:
    """List files of both suites, at least one of each."""
    found = [sorted(suite.joinpath(*parts).rglob(pattern)) for suite in SUITES]
    assert all(found)
    return [file for files in found for file in files]


def test_every_file_that_defines_tests_has_a_name_that_pytest_collects() -> None:
    for file in below(pattern="*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        functions = [each for each in ast.walk(tree) if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
        defines = any(each.name.startswith("test_") for each in functions)
        assert not defines or file.name.startswith("test_"), file


def test_every_file_that_pytest_collects_defines_a_test() -> None:
    for file in below(pattern="test_*.py"):
        text = file.read_text(encoding="utf-8")
        assert "def test_" in text or "TestCase" in text, file


def test_what_needs_the_emulator_says_so() -> None:
    for file in below("e2e", pattern="test_*.py"):
        assert "pytestmark = pytest.mark.e2e" in file.read_text(encoding="utf-8"), file
