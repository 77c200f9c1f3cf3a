"""What is known of one phase of work at one moment. Pure: every change returns a new state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILED = "failed"
"""The word under which pieces of work are counted that did not succeed."""

Outcome = Literal["done", "failed", "interrupted"]


class Passing(str):
    """A line that the next one replaces, such as the name of the package that is being compiled."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Item:
    """One piece of work that has begun."""

    doing: str
    """Such as `creating`."""
    kind: str
    """Such as `aws:lambda:Function`."""
    name: str
    since: float
    """When it began, in seconds of the display's clock."""
    group: bool = False
    """Whether it only holds other pieces, which say more."""


@dataclass(frozen=True, kw_only=True)
class End:
    """How a phase ended."""

    at: float
    outcome: Outcome
    summary: str = ""
    """What came of it; by default what was counted."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase, such as the deployment of a stack. Times are seconds of the display's clock."""

    title: str
    began: float
    expected: int = 0
    """How many pieces of work there will be at least; 0 where nobody can tell."""
    step: str = ""
    """What is being done, where the work is not counted in pieces."""
    passing: str = ""
    """The last line of that work's own output."""
    working: Mapping[str, Item] = field(default_factory=dict)
    """Pieces at work by their key, oldest first."""
    finished: Mapping[str, str] = field(default_factory=dict)
    """What became of the others, by their key: a word such as `created`."""
    end: End | None = None

    @property
    def done(self) -> int:
        """How many pieces have succeeded."""
        return len(self.finished) - self.failed

    @property
    def failed(self) -> int:
        """How many have not."""
        return list(self.finished.values()).count(FAILED)

    @property
    def total(self) -> int:
        """How many there are, as far as is known yet."""
        return max(self.expected, len(self.working.keys() | self.finished.keys()))

    @property
    def counts(self) -> dict[str, int]:
        """How many pieces ended with which word; failed ones last."""
        words = sorted(dict.fromkeys(self.finished.values()), key=lambda word: word == FAILED)
        return {word: list(self.finished.values()).count(word) for word in words}

    def elapsed(self, at: float) -> float:
        """Return for how many seconds it has run, or ran."""
        return (self.end.at if self.end else at) - self.began

    def expecting(self, pieces: int) -> Phase:
        """Return the phase with this number of pieces in view."""
        return replace(self, expected=pieces)

    def doing(self, line: str) -> Phase:
        """Return the phase at its next step, or after another line of the step's own output."""
        if isinstance(line, Passing):
            return replace(self, passing=str(line))
        return replace(self, step=line.removeprefix(f"{self.title}: "), passing="")

    def started(self, key: str, item: Item) -> Phase:
        """Return the phase with one more piece at work."""
        return replace(self, working={**self.working, key: item})

    def ended(self, key: str, word: str | None) -> Phase:
        """Return the phase without that piece at work. It is counted as `word`; None is for a part of a piece."""
        working = {each: item for each, item in self.working.items() if each != key}
        finished = {**self.finished, key: word} if word else self.finished
        return replace(self, working=working, finished=finished)

    def over(self, end: End) -> Phase:
        """Return the phase as it ended."""
        return replace(self, working={}, passing="", end=end)
