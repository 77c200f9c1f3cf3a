"""Shows phases on a display, and writes everything to the log."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from overtime.progress.state import End, Passing, Phase
from overtime.progress.text import ending, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from overtime.progress.log import Log
    from overtime.progress.screen import Display
    from overtime.progress.state import Outcome


class Reporter:
    """Reports the work of one command, a phase at a time. It may be called from any thread."""

    def __init__(self, display: Display, log: Log, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.log = log
        self._display, self._clock = display, clock
        self._lock = threading.RLock()

    def say(self, line: str) -> None:
        """Show a line that stays."""
        self.log.write(line)
        self.show(named(line))

    def show(self, text: str) -> None:
        """Show a text that stays and that the log is not to have."""
        with self._lock:
            self._display.line(text)

    @contextmanager
    def phase(self, title: str) -> Iterator[Running]:
        """Show a phase while the block runs, and then one line on how it ended."""
        running = Running(self, Phase(title=title, began=self._clock()))
        self.log.write(f"{title}: begins")
        outcome: Outcome = "failed"
        try:
            with self._followed(running):
                yield running
            outcome = "done"
        except KeyboardInterrupt:
            outcome = "interrupted"
            raise
        finally:
            ended = running.state.over(End(at=self._clock(), outcome=outcome, summary=running.summary))
            self.log.write(ending(ended))
            # A terminal that is gone must not replace the phase's own error, nor make a failure of its success.
            with suppress(OSError), self._lock:
                self._display.end(ended)

    def change(self, running: Running, change: Callable[[Phase, float], Phase]) -> None:
        """Change what is known of a phase; the change gets the present time of the display's clock."""
        with self._lock:
            running.state = change(running.state, self._clock())

    def step(self, running: Running, line: str) -> None:
        """Show what a phase is doing."""
        self.log.write(line)
        with self._lock:
            running.state = running.state.doing(line)
            if not isinstance(line, Passing):
                self._display.step(line)

    @contextmanager
    def _followed(self, running: Running) -> Iterator[None]:
        """Show a phase again and again, so that the seconds that go by are seen."""
        over = threading.Event()

        def follow() -> None:
            with suppress(OSError):  # nobody reads any more; whoever writes next in the caller's thread is told
                while not over.wait(self._display.interval):
                    with self._lock:
                        self._display.show(running.state, self._clock())

        with self._lock:
            self._display.begin(running.state)
        thread = threading.Thread(target=follow, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


class Running:
    """A phase that runs."""

    summary: str = ""
    """What came of it, to be set before the end; by default what was counted."""

    def __init__(self, reporter: Reporter, state: Phase) -> None:
        self.state = state
        self._reporter = reporter

    def __call__(self, line: str) -> None:
        """Show what is being done; a `Passing` line is a part of that."""
        self._reporter.step(self, line)

    def change(self, change: Callable[[Phase, float], Phase]) -> None:
        """Change what is known of it; the change gets the present time of the display's clock, too."""
        self._reporter.change(self, change)
