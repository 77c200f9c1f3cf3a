"""The live display: what `Picture` draws, kept at the end of the terminal's text. Needs rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from overtime.progress.picture import SPINS_PER_SECOND, Picture, finished
from overtime.progress.text import clean

if TYPE_CHECKING:
    from typing import TextIO

    from overtime.progress.state import Phase


class LiveDisplay:
    """One phase at a time, with bar, counts and what is at work; a line is left of it."""

    interval = 1 / SPINS_PER_SECOND

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._live: Live | None = None

    def line(self, text: str) -> None:
        """Print it, above the phase if there is one."""
        # Wrapped by the terminal, so that a path can be copied whole.
        self._console.print(Text(clean(text)), soft_wrap=True)

    def begin(self, phase: Phase) -> None:
        """Begin to draw, below what was printed."""
        self._live = Live(Picture(phase, phase.began), console=self._console, auto_refresh=False, transient=True)
        self._live.start(refresh=True)

    def step(self, line: str) -> None:
        """Wait for the next `show`."""

    def show(self, phase: Phase, at: float) -> None:
        """Draw the phase anew."""
        if self._live:
            self._live.update(Picture(phase, at), refresh=True)

    def end(self, phase: Phase) -> None:
        """Leave one line in the place of the drawing."""
        if self._live:
            self._live.stop()
            self._live = None
        self._console.print(finished(phase, plain=self._console.options.ascii_only), soft_wrap=True)
