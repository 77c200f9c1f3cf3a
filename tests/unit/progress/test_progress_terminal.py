"""Progress on a terminal, which here is a pseudo-terminal, and on streams that are none."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
import threading
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overtime.errors import OvertimeError
from overtime.progress import Item, Log, Passing, Reporter, display_on
from overtime.progress.live import LiveDisplay
from overtime.progress.screen import Lines, OneLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

ROOT = Path(__file__).resolve().parents[3]
TERMINAL = {"TERM": "xterm-256color"}
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Screen:
    """What was written to a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.written = ""

    @property
    def text(self) -> str:
        """All of it, without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.written)


@contextmanager
def terminal(columns: int = 80, monkeypatch: pytest.MonkeyPatch | None = None) -> Iterator[Screen]:
    """Open a terminal of this width; what was written is complete after the block."""
    if monkeypatch:
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", TERMINAL["TERM"])
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    chunks: list[bytes] = []

    def read() -> None:
        while True:
            try:
                chunks.append(os.read(master, 65536))
            except OSError:  # the last one has closed it
                return

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        screen = Screen(stream)
        yield screen
    reader.join(30)
    os.close(master)
    screen.written = b"".join(chunks).decode()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


def queue(at: float) -> Item:
    return Item(doing="creating", kind="aws:sqs:Queue", name="report-queue", since=at)


def test_a_terminal_is_drawn_live(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing follows the state by itself, lines stand above it, and one line is left, with the cursor back."""
    with terminal(monkeypatch=monkeypatch) as screen:
        display = display_on(screen.stream, TERMINAL)
        assert isinstance(display, LiveDisplay)
        drawn = threading.Event()
        show = display.show

        def shown(phase: object, at: float) -> None:
            show(phase, at)  # type: ignore[arg-type] # it is what `show` takes
            drawn.set()

        monkeypatch.setattr(display, "show", shown)
        report = Reporter(display, log)
        with report.phase("pulumi up (dev)") as phase:
            phase.change(lambda state, at: state.started("a", queue(at)))
            assert drawn.wait(30)
            report.say("a warning")
            phase.change(lambda state, _at: state.ended("a", "created"))
    assert HIDE in screen.written
    assert screen.written.rindex(SHOW) > screen.written.rindex(HIDE)
    for text in ("0 of 1 so far", "creating    0 s   report-queue", "overtime: a warning\r\n"):
        assert text in screen.text
    assert screen.text.endswith("✓ pulumi up (dev): 1 created\r\n")


def test_a_failure_leaves_a_usable_terminal(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch=monkeypatch) as screen:
        report = Reporter(display_on(screen.stream, TERMINAL), log)
        with pytest.raises(OvertimeError), report.phase("engine"):
            raise OvertimeError("no Go")
    assert screen.written.rindex(SHOW) > screen.written.rindex(HIDE)
    assert screen.text.endswith("✗ engine: failed after 0 s\r\n")


def test_ctrl_c_is_no_failure(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch=monkeypatch) as screen:
        report = Reporter(display_on(screen.stream, TERMINAL), log)
        with pytest.raises(KeyboardInterrupt), report.phase("engine"):
            raise KeyboardInterrupt
    assert screen.text.endswith("✗ engine: interrupted after 0 s\r\n")
    assert "engine: interrupted" in Path(log.path).read_text(encoding="utf-8")


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}, TERMINAL | {"NO_COLOR": "1"}, TERMINAL | {"CI": "true"}])
def test_a_terminal_that_wants_plain_lines(environ: dict[str, str], log: Log) -> None:
    """Not a single escape sequence then."""
    with terminal() as screen:
        report = Reporter(display_on(screen.stream, environ), log)
        with report.phase("engine") as phase:
            phase("engine: building pulumi")
            phase(Passing("net/http"))
            phase.summary = "pulumi 3.259.0"
    assert screen.written == "overtime: engine: building pulumi\r\novertime: engine: pulumi 3.259.0\r\n"


def test_a_stream_that_is_no_terminal() -> None:
    assert isinstance(display_on(io.StringIO(), TERMINAL), Lines)


def test_without_rich_there_is_one_line(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before any package is installed: it is written over, cut to the width, and what stays is below each other."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.delitem(sys.modules, "overtime.progress.live", raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    with terminal() as screen:
        display = display_on(screen.stream, TERMINAL)
        assert isinstance(display, OneLine)
        report = Reporter(display, log, clock=lambda: 0)
        with report.phase("packages") as phase:
            phase("packages: installing what requirements.lock names")
            display.show(phase.state, 12)
            report.say("a line")
            phase.summary = "installed"
    assert re.search(r"\r. packages: 12 s, installing what re\.\.\.\x1b\[K", screen.written)
    assert screen.written.endswith("\r\x1b[Kovertime: a line\r\n\r\x1b[Kovertime: packages: installed\r\n")


def test_it_needs_no_package() -> None:
    """The set-up reports before there are any."""
    subprocess.run([sys.executable, "-S", "-c", "import overtime.progress"], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    "module", ["overtime.settings", "overtime.progress", "overtime.automation", "overtime.program"]
)
def test_rich_is_not_imported_before_a_terminal_is_there(module: str) -> None:
    """It is optional, so nothing that can be imported without a display may need it."""
    program = f"import sys, {module}; sys.exit('rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_rich_is_not_deployed() -> None:
    """Neither the Lambda functions' archives nor whoever installs overtime gets it unasked."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    archives = (ROOT / "lambdas" / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert [line for line in [*archives, *project["dependencies"]] if line.startswith("rich")] == []
    assert [name for name, packages in project["optional-dependencies"].items() if "rich>=14,<16" in packages] == [
        "progress"
    ]
