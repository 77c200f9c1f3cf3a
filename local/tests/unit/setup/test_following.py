"""Commands that take long, followed line by line."""

from __future__ import annotations

import sys
import time

import pytest

from local.errors import LocalError
from local.process import LAST_LINES, follow
from overtime.progress import Passing


def python(program: str) -> list[str]:
    return [sys.executable, "-u", "-c", program]


def test_each_line_is_said_while_the_command_runs() -> None:
    """Of both streams; a line is a passing one, so that a display shows it until the next."""
    said: list[tuple[str, float]] = []
    program = "import sys, time; print('one'); time.sleep(1); sys.stderr.write('  two\\n')"
    follow(python(program), lambda line: said.append((line, time.monotonic())), because="")
    assert [line for line, _at in said] == ["one", "two"]
    assert all(isinstance(line, Passing) for line, _at in said)
    assert said[1][1] - said[0][1] > 0.5


def test_a_command_that_fails_is_told_with_its_last_lines() -> None:
    program = "import sys; [print(f'line {n}') for n in range(40)]; sys.exit(3)"
    with pytest.raises(LocalError, match=r"ended with status 3\. Repair it\.\n    line 25\n") as caught:
        follow(python(program), lambda _line: None, because="Repair it.")
    assert len(str(caught.value).splitlines()) == LAST_LINES + 1


def test_a_command_that_takes_too_long_is_killed() -> None:
    began = time.monotonic()
    with pytest.raises(LocalError, match=r"was not done after 0\.5 s\. Wait longer\."):
        follow(python("import time; time.sleep(60)"), lambda _line: None, because="Wait longer.", timeout_seconds=0.5)
    assert time.monotonic() - began < 30


def test_a_command_that_is_missing() -> None:
    with pytest.raises(LocalError, match=r"could not be started \(No such file or directory\)\. Install it\."):
        follow(["/nonexistent/program"], lambda _line: None, because="Install it.")


def test_what_a_command_has_started_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold the pipe open for ever, as a daemon does."""
    monkeypatch.setattr("local.process.LAST_WORDS_SECONDS", 0.2)
    program = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])"
    began = time.monotonic()
    follow(python(program), lambda _line: None, because="")
    assert time.monotonic() - began < 15
