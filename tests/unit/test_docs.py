"""What the tables of docs/ name and quote is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

from overtime.contract import destinations, metrics, task_requests
from overtime.contract.exit_codes import ExitCode
from overtime.contract.runs import TERMINAL_STATES, RunState
from overtime.ledger import requests, wait_requests

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OF_AWS = {"reached the limit on the number of vCPUs", "Fargate On-Demand vCPU resource count"}
"""What the runbook quotes of AWS."""


def rows(page: str, heading: str) -> list[list[str]]:
    """Read the cells of all tables below a heading, without the tables' heads."""
    section = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    tables = re.findall(r"^\|[-|]+\|\n((?:\|.*\n?)+)", section, flags=re.MULTILINE)
    return [line.strip("| ").split(" | ") for table in tables for line in table.splitlines()]


def states(cell: str) -> frozenset[RunState]:
    """Read the states that a cell names."""
    return TERMINAL_STATES if cell == "every final state" else frozenset(map(RunState, re.findall(r"`(\w+)`", cell)))


def test_every_metric_has_a_row() -> None:
    """With the function that writes it, its unit, and a note if it is about the stack."""
    shown = {
        name.strip("`"): (service, unit, meaning.startswith("of the stack: "))
        for name, service, unit, meaning in rows("operating.md", "Metrics")
    }
    defined = [each for each in vars(metrics).values() if isinstance(each, metrics.Metric)]
    assert shown == {each.name: (each.service, each.unit, each.of_stack) for each in defined}


def test_every_destination_kind_has_a_row() -> None:
    """With the actions that whoever owns the destination has to allow."""
    shown = {kind: re.findall(r"`([^`]+)`", actions) for kind, actions in rows("operating.md", "Destinations")}
    assert shown == {each.title.partition(" ")[2]: list(each.actions) for each in destinations.KINDS}


def test_every_exit_code_has_a_row() -> None:
    """The runner has no other, and the watcher decides by them."""
    assert [int(code) for code, _ in rows("architecture.md", "Exit codes of the runner")] == sorted(ExitCode)


def test_every_change_of_the_ledger_has_a_row() -> None:
    """With the states that it starts from."""
    shown = {name.strip("`"): states(start) for name, start, *_ in rows("ledger.md", "States")}
    sources = {**requests.SOURCES, **wait_requests.SOURCES, **task_requests.SOURCES}
    assert shown == {"record": frozenset(), **sources}


def test_what_the_runbook_quotes_is_what_we_write() -> None:
    """People look for it in logs and reasons."""
    page = (DOCS / "operating.md").read_text(encoding="utf-8")
    tables = "\n".join(line for line in page.splitlines() if line.startswith("| "))
    quoted = set(re.findall(r'"([^"]+)"', tables)) - OF_AWS
    sources = [file.read_text(encoding="utf-8") for top in ("lambdas", "runner") for file in (ROOT / top).rglob("*.py")]
    assert quoted
    assert [text for text in sorted(quoted) if not any(text in source for source in sources)] == []
