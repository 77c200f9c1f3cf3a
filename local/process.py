"""Commands that the local stack runs: output caught, time bounded, failure told in one error."""

from __future__ import annotations

import shlex
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING

from local.errors import LocalError
from overtime.progress import Passing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Say = Callable[[str], None]

LAST_LINES = 15
LAST_WORDS_SECONDS = 5
"""How long the last lines of a command that has ended are waited for."""


def run(  # noqa: PLR0913 - all but the command by name
    command: Sequence[str],
    *,
    because: str,
    timeout_seconds: float = 60,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    shown: str = "",
) -> str:
    """Run `command` and return what it wrote to stdout.

    Args:
        command: program and arguments; no shell is involved.
        because: what the command was wanted for and what to do when it fails; ends the error's text.
        timeout_seconds: the command is killed after this time.
        cwd: folder to run in.
        env: the whole environment; the caller's when None.
        shown: how the error names the command, if all of it would be too long.

    Raises:
        LocalError: the command is missing, failed or took too long.

    """
    shown = shown or shlex.join(command)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout_seconds,
            cwd=cwd,
            env=env,
        )
    except subprocess.TimeoutExpired as error:
        raise _late(shown, timeout_seconds, because) from error
    except OSError as error:
        raise _not_started(shown, error, because) from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise _failed(shown, done.returncode, because, lines[-LAST_LINES:])
    return done.stdout


def follow(  # noqa: PLR0913 - what `run` takes, and who hears the lines
    command: Sequence[str],
    say: Say,
    *,
    because: str,
    timeout_seconds: float = 60,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a command that takes long, and say each line that it writes as a `Passing` one.

    Args:
        command: program and arguments; no shell is involved.
        say: hears the lines, in another thread.
        because: what the command was wanted for and what to do when it fails; ends the error's text.
        timeout_seconds: the command is killed after this time.
        cwd: folder to run in.
        env: the whole environment; the caller's when None.

    Raises:
        LocalError: the command is missing, failed or took too long.

    """
    shown = shlex.join(command)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=cwd,
            env=env,
        )
    except OSError as error:
        raise _not_started(shown, error, because) from error
    last: deque[str] = deque(maxlen=LAST_LINES)
    # In a thread, because the pipe may stay open beyond the process: whatever it started has it, too.
    reader = threading.Thread(target=_read, args=(process.stdout, last, say), daemon=True)
    reader.start()
    try:
        status = process.wait(timeout_seconds)
    except subprocess.TimeoutExpired as error:
        raise _late(shown, timeout_seconds, because) from error
    finally:
        process.kill()
        process.wait()
        reader.join(LAST_WORDS_SECONDS)
    if status:
        raise _failed(shown, status, because, list(last))


def _read(lines: IO[str], last: deque[str], say: Say) -> None:
    for line in lines:
        last.append(line.rstrip())
        say(Passing(line.strip()))


def _late(shown: str, seconds: float, because: str) -> LocalError:
    return LocalError(f"{shown!r} was not done after {seconds:g} s. {because}")


def _not_started(shown: str, error: OSError, because: str) -> LocalError:
    return LocalError(f"{shown!r} could not be started ({error.strerror}). {because}")


def _failed(shown: str, status: int, because: str, lines: Iterable[str]) -> LocalError:
    tail = "\n".join(f"    {line}" for line in lines)
    return LocalError(f"{shown!r} ended with status {status}. {because}\n{tail}")


def succeeds(
    command: Sequence[str],
    *,
    timeout_seconds: float = 20,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> bool:
    """Run `command` and say whether it succeeded; a missing program or a timeout is a no."""
    try:
        run(command, because="", timeout_seconds=timeout_seconds, cwd=cwd, env=env)
    except LocalError:
        return False
    return True


def command_line(pid: int, processes: Path = Path("/proc")) -> str:
    """Return the command line of a process, an empty text if there is none: from /proc, else (macOS) from ps."""
    if (processes / "self").exists():
        try:
            return (processes / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    try:
        return run(["ps", "-ww", "-o", "command=", "-p", str(pid)], because="").strip()
    except LocalError:
        return ""
