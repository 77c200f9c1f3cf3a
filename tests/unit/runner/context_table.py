"""Reads the two tables of docs/context.md, for the tests that hold them against what a handler sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "context.md"


@dataclass(frozen=True)
class Row:
    """One attribute or variable; the columns are the page's words."""

    name: str
    on_lambda: str
    in_container: str
    why: str

    @property
    def same(self) -> bool:
        """Whether the container's value equals Lambda's."""
        return self.in_container in ("the same", self.on_lambda)

    @property
    def absent(self) -> bool:
        """Whether the container has no such variable."""
        return self.in_container == "absent"

    @property
    def sometimes(self) -> bool:
        """Whether it is there under a condition only."""
        return "where " in self.in_container

    @property
    def literal(self) -> str | None:
        """The container's value, where the page gives it exactly."""
        found = re.fullmatch(r"`([^`<]*)`", self.in_container)
        return found[1] if found else None


def attributes() -> dict[str, Row]:
    """Give the context's attributes by name; methods end in ()."""
    return _table("## The context")


def variables() -> dict[str, Row]:
    """Give the environment variables that Lambda or the container adds, by name."""
    return _table("## The environment")


def families() -> dict[str, list[str]]:
    """Give the cells behind the name of each family of runtimes."""
    return {cells[0].strip("`"): cells[1:] for cells in _cells("## Runtimes")}


def _table(heading: str) -> dict[str, Row]:
    rows = [Row(*cells) for cells in _cells(heading)]
    return {row.name.strip("`"): Row(row.name.strip("`"), row.on_lambda, row.in_container, row.why) for row in rows}


def _cells(heading: str) -> list[list[str]]:
    section = PAGE.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
