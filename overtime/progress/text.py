"""What a phase looks like in words. Pure: no terminal is involved."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from overtime.progress.state import Item, Phase

LONGEST_DETAIL = 80
"""Characters of a detail in a plain line; the log has all of them."""
FIRST_SECONDS, LONGEST_SECONDS = 5, 60

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.?)", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """Return the text without what a terminal would obey: escape sequences and control characters."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text)).replace("\t", " ")


def clipped(text: str, width: int) -> str:
    """Return the text in one line of at most this many characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: max(width - 3, 0)]}..."[:width]


def named(text: str) -> str:
    """Return a line as people see it among those of other programs."""
    return f"overtime: {text}"


def duration(seconds: float) -> str:
    """Write a number of seconds for people."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def count(phase: Phase) -> str:
    """Write how far a phase is; nothing where its work is not counted."""
    if not phase.total:
        return ""
    failed = f", {phase.failed} failed" if phase.failed else ""
    return f"{phase.done} of {phase.total}{'' if phase.expected else ' so far'}{failed}"


def foremost(phase: Phase) -> list[Item]:
    """Return the pieces at work, oldest first; those that only hold others only where there is nothing else."""
    items = list(phase.working.values())
    return [item for item in items if not item.group] or items


def detail(phase: Phase) -> str:
    """Write what is being worked on."""
    if items := foremost(phase):
        more = f" and {len(items) - 1} more" if len(items) > 1 else ""
        return f"{items[0].doing} {items[0].name}{more}"
    return ": ".join(filter(None, (phase.step, phase.passing)))


def still(phase: Phase, at: float) -> str:
    """Write a line on a phase that is going on."""
    said = (duration(phase.elapsed(at)), count(phase), clipped(detail(phase), LONGEST_DETAIL))
    return f"{phase.title}: {', '.join(filter(None, said))}"


def ending(phase: Phase) -> str:
    """Write the line on a phase that is over."""
    took, end = duration(phase.elapsed(0)), phase.end
    counted = ", ".join(f"{number} {word}" for word, number in phase.counts.items())
    if end is None or end.outcome == "done":
        said = (end.summary if end else "") or counted or "done"
        return f"{phase.title}: {said}{f', {took}' if phase.elapsed(0) >= 1 else ''}"
    return f"{phase.title}: {end.outcome} after {took}{f' ({counted})' if counted else ''}"


def next_line_after(elapsed: float) -> float:
    """Return when a log hears of a phase again whose last line came after so many seconds: ever more rarely."""
    return elapsed + min(max(elapsed, FIRST_SECONDS), LONGEST_SECONDS)
