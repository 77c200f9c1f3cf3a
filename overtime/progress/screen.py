"""Where progress is shown: on a terminal with rich, on one without it, and where there is no terminal."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from overtime.progress.text import clean, clipped, ending, named, next_line_after, still

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.progress.state import Phase


class Display(Protocol):
    """Shows one phase at a time, and lines that stay. It is called by one thread at a time."""

    interval: float
    """Seconds after which `show` is wanted again, at the latest."""

    def line(self, text: str) -> None:
        """Show a text that stays."""

    def begin(self, phase: Phase) -> None:
        """Begin to show a phase."""

    def step(self, line: str) -> None:
        """Hear what the phase is doing now."""

    def show(self, phase: Phase, at: float) -> None:
        """Show the phase as it is now."""

    def end(self, phase: Phase) -> None:
        """Show how the phase ended."""


def is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Check whether somebody watches who wants lines that change: not in CI, and not with `NO_COLOR`."""
    plain = environ.get("NO_COLOR") or environ.get("CI") or environ.get("TERM", "dumb") == "dumb"
    return stream.isatty() and not plain


def display_on(stream: TextIO, environ: Mapping[str, str]) -> Display:
    """Return the display that fits the stream."""
    stream = forgiving(stream)
    if not is_terminal(stream, environ):
        return Lines(stream)
    try:
        from overtime.progress.live import LiveDisplay  # noqa: PLC0415 - rich is optional
    except ImportError:
        return OneLine(stream)
    return LiveDisplay(stream)


class _Forgiving:
    """A stream that writes `?` for what its encoding does not have: a name must not end a deployment."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        encoding = self._stream.encoding or "utf-8"
        return self._stream.write(text.encode(encoding, "replace").decode(encoding))


def forgiving(stream: TextIO) -> TextIO:
    """Return the stream as one that can write any text, if not as it is."""
    return cast("TextIO", _Forgiving(stream))


class Lines:
    """Short lines, one below the other, for logs and pipes."""

    interval = 1.0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = 0.0
        self._wrote = False

    def line(self, text: str) -> None:
        """Write it."""
        self._stream.write(f"{clean(text)}\n")
        self._stream.flush()
        self._wrote = True

    def begin(self, phase: Phase) -> None:
        """Write nothing yet: most phases are over in a second."""
        del phase
        self._wrote = True

    def step(self, line: str) -> None:
        """Write it."""
        self.line(named(line))

    def show(self, phase: Phase, at: float) -> None:
        """Write a line where there was none for a while."""
        elapsed = phase.elapsed(at)
        if not self._wrote and elapsed >= self._next:
            self.line(named(still(phase, at)))
        if self._wrote:
            self._wrote, self._next = False, next_line_after(elapsed)

    def end(self, phase: Phase) -> None:
        """Write what came of it."""
        self.line(named(ending(phase)))


class OneLine:
    """A line that is written over, for a terminal before rich is installed."""

    interval = 0.25
    turns = "|/-\\"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._turn = 0

    def line(self, text: str) -> None:
        """Write it in the place of the line that changes, which follows with the next `show`."""
        self._stream.write(f"\r\x1b[K{clean(text)}\n")
        self._stream.flush()

    def begin(self, phase: Phase) -> None:
        """Wait for the first `show`."""

    def step(self, line: str) -> None:
        """Wait for the next `show`."""

    def show(self, phase: Phase, at: float) -> None:
        """Write the line anew."""
        self._turn += 1
        width = shutil.get_terminal_size().columns - 3
        text = clipped(clean(still(phase, at)), width)
        self._stream.write(f"\r{self.turns[self._turn % len(self.turns)]} {text}\x1b[K")
        self._stream.flush()

    def end(self, phase: Phase) -> None:
        """Leave what came of it."""
        self.line(named(ending(phase)))
