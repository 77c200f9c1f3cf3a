"""Who imports whom is what docs/architecture.md says."""

from __future__ import annotations

import ast
import functools
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("components", "lambdas", "runner")
"""Folders at the top whose modules are named below `overtime`, where each has a link."""
OURS = ("__main__", "bench", "conftest", "local", "overtime", "tests", *LINKED)


@functools.cache
def table() -> dict[str, frozenset[str]]:
    """Read what each folder or file may import, from the topmost row to the lowest."""
    section = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Where things are")[2]
    rows = re.findall(r"^\| `([^`]+)` \| .* \| (.*) \|$", section.partition("\n## ")[0], flags=re.MULTILINE)
    return {folder.rstrip("/"): frozenset(re.findall(r"`([^`]+)`", cell)) for folder, cell in rows}


def files(place: str) -> list[Path]:
    """List the Python files of a row, without those of rows inside it."""
    path = ROOT / place
    inner = [ROOT / row for row in table() if row.startswith(f"{place}/")]
    found = [path] if path.suffix == ".py" else path.rglob("*.py")
    return sorted(file for file in found if not any(file.is_relative_to(row) for row in inner))


def module(place: str) -> str:
    """Return the name by which a file or folder is imported."""
    name = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return f"overtime.{name}" if name.partition(".")[0] in LINKED else name


@functools.cache
def imported(file: Path) -> frozenset[str]:
    """Name what a file imports, wherever in it, also for types only."""
    return frozenset(_imported(file))


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports by a relative name"
            yield from (f"{node.module}.{each.name}" for each in node.names)


def imported_by_row(place: str) -> set[str]:
    """Name what a row's files import of this project; the package's own file, which says where it is, is no arrow."""
    names = {name for file in files(place) for name in imported(file)}
    return {name for name in names if name.partition(".")[0] in OURS} - {"overtime"}


def below(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


@pytest.mark.parametrize("place", table())
def test_a_folder_imports_what_the_table_says_and_itself(place: str) -> None:
    """An arrow that is not in the table is a design that nobody has chosen."""
    allowed = table()[place] | {module(place)}
    assert sorted(name for name in imported_by_row(place) if not any(below(name, each) for each in allowed)) == []


@pytest.mark.parametrize("place", table())
def test_the_table_names_no_arrow_that_is_not_there(place: str) -> None:
    """What is no longer imported is no longer in the table."""
    names = imported_by_row(place)
    assert sorted(package for package in table()[place] if not any(below(name, package) for name in names)) == []


@pytest.mark.parametrize("place", table())
def test_no_arrow_points_back_up(place: str) -> None:
    """Each row is a layer, and imports rows below it only; so no row is in a circle either."""
    rows = [module(each) for each in table()]
    lower = rows[rows.index(module(place)) + 1 :]
    arrows = {name for name in imported_by_row(place) if not below(name, module(place))}
    assert sorted(name for name in arrows if not any(below(name, row) for row in lower)) == []


def test_no_module_is_in_a_circle() -> None:
    """Nor one that is for types only: two modules that need each other's types are one thought in two files."""
    places = [file.relative_to(ROOT).as_posix() for place in table() for file in files(place)]
    names = {module(place) for place in places}
    arrows = {module(place): {_owner(name, names) for name in imported(ROOT / place)} for place in places}
    sorter = TopologicalSorter({name: found & names - {name} for name, found in arrows.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def _owner(name: str, modules: set[str]) -> str:
    """Return the module that a name stands for or is in."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def test_every_file_has_its_row() -> None:
    """But for the packages' own files, which hold nothing."""
    of_rows = {file for place in table() for file in files(place)}
    left = {file for top in OURS if (ROOT / top).is_dir() for file in files(top)} - of_rows
    assert {file.relative_to(ROOT).as_posix() for file in left} == {"lambdas/__init__.py", "overtime/__init__.py"}
    assert not [node for file in left for node in ast.parse(file.read_text(encoding="utf-8")).body[1:]]


def test_a_module_has_one_name() -> None:
    """The folders at the top are not packages of their own: a module that is imported by two names exists twice."""
    assert {name: (ROOT / "overtime" / name).resolve() for name in LINKED} == {name: ROOT / name for name in LINKED}
    names = {name for place in table() for file in files(place) for name in imported(file)}
    assert sorted(name for name in names if name.partition(".")[0] in LINKED) == []


def test_only_tests_and_benches_import_the_local_stack() -> None:
    """What deploys to AWS does not know that there is another place."""
    users = {place for place, allowed in table().items() if place != "local" and "local" in allowed}
    assert users == {"bench", "conftest.py", "local/tests", "tests"}
