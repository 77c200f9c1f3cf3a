"""The one report of everything that stops the set-up."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.checks.problems import Problem

WIDTH = 110


def report(problems: list[Problem]) -> str:
    """Write the report: how many, then each with what, why and what to do."""
    count, all_of_it = ("1 thing stops", "it") if len(problems) == 1 else (f"{len(problems)} things stop", "them")
    head = f"{count} the set-up; nothing was changed. Fix {all_of_it}, then run make again."
    return "\n\n".join((head, *(_entry(number, each) for number, each in enumerate(problems, 1))))


def _entry(number: int, problem: Problem) -> str:
    first, *more = problem.what.split("\n")
    lines = _fill(f"  {number}. ", first)
    lines += [f"     {line}" for line in more]
    lines += _fill("     why: ", problem.why)
    lines += _fill("     do:  ", problem.remedy)
    return "\n".join(lines)


def _fill(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
