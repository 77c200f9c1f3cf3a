"""The stand-ins are a distribution of their own: what it holds and needs, of which the product needs nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions, requires
from typing import TYPE_CHECKING

import pytest

from local.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCAL = REPOSITORY / "local"
STAND_INS = tomllib.loads((LOCAL / "pyproject.toml").read_text(encoding="utf-8"))
PRODUCT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
OURS = {"local", "overtime"}
DATA = (
    *("bootstrap.sh", "engine_build/go.mod", "engine_build/go.sum", "engine_build/tools.go"),
    *(f"base_images/nodejs/{name}" for name in ("bootstrap", "node-path.mjs", "node22.lock", "node24.lock")),
    *(f"base_images/nodejs/{name}" for name in ("package.json", "package-lock.json")),
    *(f"base_images/java/{name}" for name in ("bootstrap", "java17.lock", "java21.lock", "pom.xml")),
    "base_images/start.sh",
)


def sources() -> list[Path]:
    return [file for file in LOCAL.rglob("*.py") if not file.is_relative_to(LOCAL / "tests")]


def imported(file: Path) -> Iterator[str]:
    """Name the top-level modules that a file imports when it runs: not those for types only."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node not in typing and isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif node not in typing and isinstance(node, ast.ImportFrom):
            yield str(node.module).partition(".")[0]


def named(requirements: list[str]) -> set[str]:
    """Read the names of distributions, as packages_distributions() spells them after `plain`."""
    return {plain(re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0]) for each in requirements if "extra ==" not in each}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_a_wheel_has_every_module_and_no_test(tmp_path: Path) -> None:
    """Built with the backend of this environment, so that no network is needed."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=LOCAL, check=True, capture_output=True)
    [file] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(file) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    data = {f"local/{name}" for name in DATA}
    assert names == {path.relative_to(REPOSITORY).as_posix() for path in sources()} | data


def test_what_is_imported_is_required() -> None:
    """By the distribution itself, or by what it requires: botocore comes with boto3, grpc with pulumi."""
    direct = named(STAND_INS["project"]["dependencies"])
    brought = named([each for name in direct for each in requires(name) or []])
    found = packages_distributions()
    modules = {name for file in sources() for name in imported(file)} - OURS - set(sys.stdlib_module_names)
    assert sorted(name for name in modules if not {plain(each) for each in found[name]} & (direct | brought)) == []


@pytest.mark.parametrize("only_local", ["docker", "ministack"])
def test_the_product_needs_none_of_it(only_local: str) -> None:
    """Neither to run nor to be embedded."""
    project = PRODUCT["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    assert only_local in named(STAND_INS["project"]["dependencies"])
    assert only_local not in named(asked)
