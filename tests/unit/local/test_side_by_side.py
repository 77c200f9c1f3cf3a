"""Two test runs side by side: both to the end, both outputs whole, and one that fails is enough."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from local.side_by_side import END_TO_END, INTERRUPTED, OTHERS, run

if TYPE_CHECKING:
    from pathlib import Path

WAITS = """
import signal, sys, time
def end(*_):
    print("undone", flush=True)
    sys.exit(2)
signal.signal(signal.SIGINT, end)
open(sys.argv[1], "w").close()
time.sleep(60)
"""


def python(code: str, *arguments: str) -> list[str]:
    """Make a command."""
    return [sys.executable, "-c", code, *arguments]


@pytest.mark.parametrize(("first", "second", "expected"), [(0, 0, 0), (3, 0, 3), (0, 4, 4), (3, 4, 3)])
def test_each_runs_to_its_end_and_one_failure_is_a_failure(
    first: int, second: int, expected: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The quicker one's failure ends nothing; the first one's output is shown at once, the other's afterwards."""
    ended = tmp_path / "ended"
    shown = python(f"import sys; print('shown'); sys.exit({first})")
    slow = f"import time, sys; time.sleep(0.3); open({str(ended)!r}, 'w'); print('beside'); sys.exit({second})"
    out = io.BytesIO()
    assert run(shown, python(slow), out) == expected
    assert ended.exists()
    assert capfd.readouterr().out == "shown\n"
    lines = out.getvalue().decode().splitlines()
    assert "beside" in lines
    assert "shown" not in lines
    assert [line.split()[0] for line in lines[-2:]] == ["FAILED" if status else "ok" for status in (first, second)]


def test_an_interruption_reaches_both_and_both_are_waited_for(tmp_path: Path) -> None:
    """Ctrl-C comes to this program alone; each run is told once, and what it then writes is shown."""
    begun = [tmp_path / name for name in ("first", "second")]
    commands = [python(WAITS, str(file)) for file in begun]
    call = f"run({commands[0]}, {commands[1]}, sys.stdout.buffer)"
    code = f"import sys\nfrom local.side_by_side import run\nsys.exit({call})"
    process = subprocess.Popen(python(code), stdout=subprocess.PIPE, start_new_session=True, text=True)
    deadline = time.monotonic() + 30
    while not all(file.exists() for file in begun) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert output.splitlines().count("undone") == 2


def test_every_folder_of_tests_is_in_one_of_the_two() -> None:
    """The one runs tests/e2e, the other everything but that, whatever folders there are."""
    assert END_TO_END[-1] == "tests/e2e"
    assert "--ignore=tests/e2e" in OTHERS
    assert not [part for part in OTHERS if part.startswith("tests")]
