"""Commands that the local stack runs: output caught, time bounded, failure told in one error."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Say = Callable[[str], None]

LAST_LINES = 15


def run(
    command: Sequence[str],
    *,
    because: str,
    timeout_seconds: float = 60,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run `command` and return what it wrote to stdout.

    Args:
        command: program and arguments; no shell is involved.
        because: what the command was wanted for and what to do when it fails; ends the error's text.
        timeout_seconds: the command is killed after this time.
        cwd: folder to run in.
        env: the whole environment; the caller's when None.

    Raises:
        LocalError: the command is missing, failed or took too long.

    """
    shown = shlex.join(command)
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
        raise LocalError(f"{shown!r} was not done after {timeout_seconds:g} s. {because}") from error
    except OSError as error:
        raise LocalError(f"{shown!r} could not be started ({error.strerror}). {because}") from error
    if done.returncode:
        tail = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).strip().splitlines()[-LAST_LINES:])
        raise LocalError(f"{shown!r} ended with status {done.returncode}. {because}\n{tail}")
    return done.stdout


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
