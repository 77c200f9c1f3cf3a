"""What our programs agree on is spelled once, in `overtime.contract`."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.model import StringShape
from botocore.session import get_session

import overtime.contract
from overtime.contract import destinations, exit_codes, partitions, runtimes, variables
from overtime.contract.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "overtime" / "contract"
MODULES = [each.name for each in pkgutil.iter_modules(overtime.contract.__path__)]
HOMONYMS = {
    "aws": "the name of Pulumi's provider package, too",
    "cancelled": "a line of the dashboard, for people",
    "failed": "an alarm's key; a line of the dashboard; the word of Pulumi's engine for an operation that failed",
    "function_name": "a field of the handler's context, and an attribute of a run",
    "functions": "the settings' key, and an output of the stack",
    "launching": "the name of a request to the ledger",
    "on_demand": "a setting's example in an error text",
    "overtime": "the project's own name: in names, tags, log streams and pointer records",
    "run_key": "a field of pointer records and of log lines",
    "runner": "the folder of the container's program",
    "skipped": "an alarm's key, and what the dispatcher did with a record",
    "succeeded": "a line of the dashboard, for people",
    "timed_out": "a word for the REPORT line",
    "timeout": "the status of the REPORT line, and a setting's example in an error text",
    "watcher": "the watcher's own key in names and outputs",
}
"""Words that mean something else elsewhere, each with what that is."""


def words() -> dict[str, str]:
    """Return the texts that the contract defines, each with where."""
    found: dict[str, str] = {}
    for name in MODULES:
        module = importlib.import_module(f"overtime.contract.{name}")
        for attribute, value in vars(module).items():
            # The ledger's attributes are spelled by the requests that write them: a test of these compares the two.
            if attribute.startswith("_") or attribute == "TASK_ATTRIBUTES":
                continue
            found |= dict.fromkeys(_texts(value), f"{name}.{attribute}")
    return found


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case type() if issubclass(value, StrEnum):
            yield from (each.value for each in value)
        case Metric() | runtimes.Runtime():
            yield value.name
        case destinations.DestinationKind():
            yield value.sid
        case partitions.Partition():
            yield from (value.name, value.regions, value.dns_suffix)
        case tuple() | frozenset():
            yield from (text for each in value for text in _texts(each))
        case Mapping():
            yield from (text for each in value.values() for text in _texts(each))


def product() -> Iterator[Path]:
    """Find the files of what is deployed and of what deploys it, apart from the contract itself."""
    yield ROOT / "__main__.py"
    for top in ("components", "lambdas", "runner", "overtime"):
        yield from (file for file in (ROOT / top).rglob("*.py") if CONTRACT not in file.parents)


def spelled(text: str) -> Iterator[tuple[str, int]]:
    """Find the texts of a module that are not documentation, with their lines."""
    tree = ast.parse(text)
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value, node.lineno


def test_no_word_is_spelled_a_second_time() -> None:
    """A word that only one of two programs changes is a fault that no type checker sees."""
    ours = words().keys() - HOMONYMS.keys() - {""}
    twice = [
        f"{file.relative_to(ROOT)}:{line} spells {text!r}, which is contract.{words()[text]}"
        for file in product()
        for text, line in spelled(file.read_text(encoding="utf-8"))
        if text in ours
    ]
    assert twice == []


def test_every_homonym_is_one() -> None:
    """A word that nothing else uses any more is not excused."""
    elsewhere = {text for file in product() for text, _ in spelled(file.read_text(encoding="utf-8"))}
    assert HOMONYMS.keys() - (elsewhere & words().keys()) == set()


def test_variables_are_named_nowhere_else() -> None:
    """Not within other texts either, such as an error's."""
    named = re.compile(rf"{variables.PREFIX}[A-Z_]+")
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text}"
        for file in product()
        for text, line in spelled(file.read_text(encoding="utf-8"))
        if named.search(text)
    ]
    assert found == []


def test_a_variable_is_named_as_its_constant() -> None:
    """So that whoever reads one finds the other."""
    for name, value in vars(variables).items():
        if name.isupper() and name != "PREFIX":
            assert value == variables.PREFIX + name


@pytest.mark.parametrize("kind", destinations.KINDS, ids=lambda kind: kind.service)
def test_an_arn_is_of_one_kind(kind: destinations.DestinationKind) -> None:
    """The example is of this kind, in every partition, and without its resource it is of none."""
    resource = {"events": "event-bus/b", "lambda": "function:f"}.get(kind.service, "name")
    place = "eu-west-1:123456789012" if kind.regional else ":"
    for partition in partitions.PARTITIONS:
        start = f"arn:{partition.name}:{kind.service}:{place}:"
        assert destinations.kind_of(start + resource) is kind
        assert destinations.kind_of(start) is None


@pytest.mark.parametrize("service", ["sqs", "sns"])
def test_fifo_queues_and_topics_are_no_destinations(service: str) -> None:
    assert destinations.kind_of(f"arn:aws:{service}:eu-west-1:123456789012:name.fifo") is None


NEWER_THAN_THE_SERVICE_MODEL = {"custom": "botocore 1.44.8"}
"""Runtimes that the pinned botocore does not know yet, each with a version that does."""


def test_every_runtime_of_lambda_is_supported_or_known_as_unsupported() -> None:
    """A new runtime needs a row in `overtime.contract.runtimes`; one that AWS removes needs none."""
    known = {*runtimes.RUNTIMES, *runtimes.UNSUPPORTED}
    names = get_session().get_service_model("lambda").shape_for("Runtime")
    assert isinstance(names, StringShape)
    of_lambda = set(names.enum)
    assert of_lambda - known == set(), "add a row to overtime/contract/runtimes.py"
    assert known - of_lambda == NEWER_THAN_THE_SERVICE_MODEL.keys()


def test_a_runtime_is_in_one_of_the_two_lists() -> None:
    assert runtimes.RUNTIMES.keys().isdisjoint(runtimes.UNSUPPORTED)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("python3.9", "python:3.9"),
        ("python3.13", "python:3.13"),
        ("nodejs22.x", "nodejs:22"),
        ("nodejs26.x", "nodejs:26-preview"),
        ("java8", "java:8"),
        ("java17.al2023", "java:17.al2023"),
        ("dotnetcore3.1", "dotnet:core3.1"),
        ("dotnet10", "dotnet:10"),
        ("ruby3.4", "ruby:3.4"),
        ("provided", "provided:alami"),
        ("provided.al2023", "provided:al2023"),
    ],
)
def test_a_runtime_has_its_version_of_its_familys_base_image(name: str, image: str) -> None:
    assert runtimes.RUNTIMES[name].base_image == f"public.ecr.aws/lambda/{image}"


def test_a_runtime_belongs_to_the_family_in_its_name() -> None:
    for name, runtime in runtimes.RUNTIMES.items():
        assert [family for family in runtimes.FAMILIES if family.includes(name)] == [runtime.family]


def test_only_a_python_that_our_modules_can_run_on_starts_ahead() -> None:
    ahead = {name for name, each in runtimes.RUNTIMES.items() if each.starts_ahead}
    assert ahead == {"python3.11", "python3.12", "python3.13", "python3.14", "python3.15"}


def test_days_are_in_order() -> None:
    """AWS ends its support before it refuses new functions; both are days."""
    for name, runtime in runtimes.RUNTIMES.items():
        days = [day for day in (runtime.deprecated, runtime.no_new_functions) if day]
        assert days == sorted(date.fromisoformat(day).isoformat() for day in days), name


def test_a_successor_lives_longer() -> None:
    """It is of the same family, can still be chosen for a new function, and is no preview."""
    for name, runtime in runtimes.RUNTIMES.items():
        successor = runtimes.successor(runtime)
        assert successor.family is runtime.family, name
        assert successor.creatable, name
        assert successor.deprecated >= runtime.deprecated, name
        assert successor.deprecated, name


def test_what_lambda_no_longer_creates_is_known() -> None:
    refused = {name for name, each in runtimes.RUNTIMES.items() if not each.creatable}
    assert refused == {
        *("python3.6", "python3.7", "nodejs12.x", "nodejs14.x", "java8", "dotnetcore3.1", "ruby2.7", "provided")
    }


def test_exit_codes_have_their_own_types() -> None:
    """But for the two that say something about the handler, each tells the ledger what was wrong."""
    handlers = {exit_codes.ExitCode.HANDLER_RETURNED, exit_codes.ExitCode.HANDLER_FAILED}
    assert exit_codes.ERROR_TYPES.keys() == set(exit_codes.ExitCode) - handlers
    assert len(set(exit_codes.ERROR_TYPES.values())) == len(exit_codes.ERROR_TYPES)


def test_the_contract_needs_nothing_but_the_standard_library() -> None:
    """Without site-packages every module of it can be imported, as the runner does."""
    names = ", ".join(f"overtime.contract.{name}" for name in MODULES)
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {names}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
