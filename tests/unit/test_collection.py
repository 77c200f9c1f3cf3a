"""No test stands where pytest does not look."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_every_file_that_defines_tests_has_a_name_that_pytest_collects() -> None:
    for file in TESTS.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        functions = [each for each in ast.walk(tree) if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
        defines = any(each.name.startswith("test_") for each in functions)
        assert not defines or file.name.startswith("test_"), file


def test_every_file_that_pytest_collects_defines_a_test() -> None:
    for file in TESTS.rglob("test_*.py"):
        text = file.read_text(encoding="utf-8")
        assert "def test_" in text or "TestCase" in text, file


def test_what_needs_the_emulator_says_so() -> None:
    for file in (TESTS / "e2e").rglob("test_*.py"):
        assert "pytestmark = pytest.mark.e2e" in file.read_text(encoding="utf-8"), file
