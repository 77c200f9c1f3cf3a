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
"""With fewer columns than these, the bar and each piece's kind are left out."""
COLOURS = {"done": "green", "failed": "red", "interrupted": "yellow"}
MARKS = {"done": ("✓", "ok"), "failed": ("✗", "!!"), "interrupted": ("✗", "!!")}


class Picture:
    """A phase at one moment."""

    def __init__(self, phase: Phase, at: float) -> None:
        self._phase, self._at = phase, at

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        narrow = options.max_width < NARROW
        yield _head(self._phase, self._at, narrow=narrow, plain=options.ascii_only)
        items = foremost(self._phase)
        if items:
            yield _rows(items[:ROWS], self._at, narrow=narrow)
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


def _head(phase: Phase, at: float, *, narrow: bool, plain: bool) -> Text:
    spinner = PLAIN_SPINNER if plain else SPINNER
    turn = spinner[int(phase.elapsed(at) * SPINS_PER_SECOND) % len(spinner)]
    elapsed = duration(phase.elapsed(at)).ljust(DURATION_WIDTH)
    parts = [Text(turn, style="cyan"), Text(clean(phase.title), style="bold"), Text(elapsed, style="cyan")]
    if phase.total and not narrow:
        parts.append(bar(phase, plain=plain))
    parts.append(Text(count(phase) or clean(phase.step)))
    # One text, so that what does not fit is cut from the end.
    head = Text("  ").join(parts)
    head.no_wrap, head.overflow = True, "ellipsis"
    return head


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
