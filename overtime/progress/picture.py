"""What a phase looks like on a terminal: pure, made of rich's renderables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from overtime.progress.text import clean, count, duration, ending, foremost

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from overtime.progress.state import Item, Phase

ROWS = 5
"""How many pieces at work are shown; the display must fit a small window."""
SPINS_PER_SECOND = 8
SPINNER, PLAIN_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
BAR_WIDTH = 24
DOING_WIDTH, DURATION_WIDTH = 12, 4
GAP = (0, 2, 0, 0)
"""Between columns: two to the right."""
NARROW = 72
"""With fewer columns than these, a piece's kind is left out."""
COLOURS = {"done": "green", "failed": "red", "interrupted": "yellow"}
MARKS = {"done": ("✓", "ok"), "failed": ("✗", "!!"), "interrupted": ("✗", "!!")}


class Picture:
    """A phase at one moment."""

    def __init__(self, phase: Phase, at: float) -> None:
        self._phase, self._at = phase, at

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        yield _head(self._phase, self._at, plain=options.ascii_only)
        items = foremost(self._phase)
        if items:
            yield _rows(items[:ROWS], self._at, narrow=options.max_width < NARROW)
        if len(items) > ROWS:
            yield Text(f"  and {len(items) - ROWS} more", style="dim")
        if self._phase.passing:
            yield _line(f"  {clean(self._phase.passing)}", style="dim")


def finished(phase: Phase, *, plain: bool) -> Text:
    """Return the line that is left of a phase."""
    outcome = phase.end.outcome if phase.end else "done"
    return Text.assemble((f"{MARKS[outcome][plain]} ", COLOURS[outcome]), clean(ending(phase)))


def bar(phase: Phase, *, plain: bool) -> Text:
    """Draw how far a phase is."""
    full, empty = "#-" if plain else "█░"
    filled = BAR_WIDTH * phase.done // max(phase.total, 1)
    return Text.assemble((full * filled, "red" if phase.failed else "green"), (empty * (BAR_WIDTH - filled), "dim"))


def _head(phase: Phase, at: float, *, plain: bool) -> Table:
    spinner = PLAIN_SPINNER if plain else SPINNER
    turn = spinner[int(phase.elapsed(at) * SPINS_PER_SECOND) % len(spinner)]
    line = Table.grid(padding=GAP)
    line.add_column(style="cyan", no_wrap=True)
    line.add_column(style="bold", no_wrap=True)
    line.add_column(style="cyan", no_wrap=True, min_width=DURATION_WIDTH)
    line.add_column(no_wrap=True, overflow="ellipsis")
    cells = [Text(turn), Text(phase.title), Text(duration(phase.elapsed(at)))]
    if phase.total:
        line.add_column(no_wrap=True)
        line.add_row(*cells, bar(phase, plain=plain), Text(count(phase)))
    else:
        line.add_row(*cells, Text(clean(phase.step)))
    return line


def _rows(items: list[Item], at: float, *, narrow: bool) -> Table:
    # Over the whole width, so that a column stays where it is when other pieces are at work.
    table = Table.grid(padding=GAP, expand=True)
    table.add_column(style="dim", no_wrap=True, width=DOING_WIDTH)
    table.add_column(style="cyan", no_wrap=True, min_width=DURATION_WIDTH)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    if not narrow:
        table.add_column(style="dim", no_wrap=True, overflow="ellipsis", ratio=1)
    for item in items:
        cells = [Text(f"  {item.doing}"), Text(duration(at - item.since)), Text(clean(item.name))]
        table.add_row(*cells, *([] if narrow else [Text(clean(item.kind))]))
    return table


def _line(text: str, *, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
