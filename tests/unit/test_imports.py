"""Who imports whom is what docs/architecture.md says."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
OURS = ("__main__", "bench", "components", "lambdas", "local", "overtime", "runner", "tests")
ANYTHING = frozenset(OURS)


def table() -> dict[str, frozenset[str]]:
    """Read what each folder or file may import."""
    section = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Where things are")[2]
    rows = re.findall(r"^\| `([^`]+)` \| .* \| (.*) \|$", section.partition("\n## ")[0], flags=re.MULTILINE)
    return {
        folder.rstrip("/"): ANYTHING if cell == "anything" else frozenset(re.findall(r"`([^`]+)`", cell))
        for folder, cell in rows
    }


def files(place: str) -> list[Path]:
    """List the Python files of a row."""
    path = ROOT / place
    return [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """Name what a file imports, wherever in it, also for types only."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports by a relative name"
            yield from (f"{node.module}.{each.name}" for each in node.names)


def below(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


@pytest.mark.parametrize("place", table())
def test_a_folder_imports_what_the_table_says_and_itself(place: str) -> None:
    """An arrow that is not in the table is a design that nobody has chosen."""
    itself = place.removesuffix(".py").replace("/", ".")
    allowed = table()[place] | {itself}
    names = {name for file in files(place) for name in imported(file) if name.partition(".")[0] in OURS}
    assert sorted(name for name in names if not any(below(name, package) for package in allowed)) == []


@pytest.mark.parametrize("place", [place for place, allowed in table().items() if allowed != ANYTHING])
def test_the_table_names_no_arrow_that_is_not_there(place: str) -> None:
    """What is no longer imported is no longer in the table."""
    names = {name for file in files(place) for name in imported(file)}
    assert sorted(package for package in table()[place] if not any(below(name, package) for name in names)) == []


def test_every_file_has_its_row() -> None:
    """But for the packages' own files, which hold nothing."""
    of_rows = {file for place in table() for file in files(place)}
    left = {file for top in OURS if (ROOT / top).is_dir() for file in files(top)} - of_rows
    assert {file.relative_to(ROOT).as_posix() for file in left} == {"lambdas/__init__.py", "overtime/__init__.py"}
    assert not [node for file in left for node in ast.parse(file.read_text(encoding="utf-8")).body[1:]]


def test_only_tests_and_benches_import_the_local_stack() -> None:
    """What deploys to AWS does not know that there is another place."""
    users = {place for place, allowed in table().items() if place != "local" and "local" in allowed}
    assert users == {"bench", "tests"}
