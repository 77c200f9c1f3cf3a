"""How the local stack's commands report: progress on standard output, errors on standard error, both in a log file.

Needs the standard library only: the Python packages are installed by such a command.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local import paths
from local.errors import LocalError
from overtime.errors import OvertimeError
from overtime.progress import Log, Reporter, display_on
from overtime.progress.text import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGS_KEPT = 20
INTERRUPTED = 130
"""What shells say of a program that Ctrl-C has ended."""


def say(line: str) -> None:
    """Show one line."""
    sys.stdout.write(f"{named(line)}\n")
    sys.stdout.flush()


def head(report: Reporter, text: str) -> None:
    """Show the title of a part."""
    report.log.write(f"== {text} ==")
    report.show(f"\n== {text} ==")


@contextmanager
def cleaning_up(clean_up: Callable[[], None], report: Reporter) -> Iterator[None]:
    """Clean up after the block. If both fail, the block's error is raised: it came first, and says what to do."""
    try:
        yield
    except BaseException:
        try:
            clean_up()
        except OvertimeError as error:
            report.say(f"warning: {error}")
        raise
    clean_up()


def reported(name: str, work: Callable[[Reporter], int]) -> int:
    """Do the work of a command and return its exit status. The last line names the log, whatever happened.

    An error of ours is shown as its text, which says what to do; any other with its traceback.
    """
    try:
        log = _new_log(name)
    except LocalError as error:
        sys.stderr.write(f"{named(str(error))}\n")
        return 1
    report = Reporter(display_on(sys.stdout, os.environ), log)
    status, fault = 1, ""
    try:
        status = work(report)
    except OvertimeError as error:
        log.failure(error)
        fault = named(str(error))
    except KeyboardInterrupt:
        log.write("interrupted")
        status, fault = INTERRUPTED, named("interrupted")
    except Exception as error:  # noqa: BLE001 - shown as Python itself would, but before the last line
        log.failure(error)
        fault = traceback.format_exc().rstrip()
    log.close()
    out = sys.stderr if fault else sys.stdout
    out.write("".join(f"{line}\n" for line in (fault, named(log.reference)) if line))
    out.flush()
    return status


def _new_log(name: str) -> Log:
    folder = paths.make_cache_folder("logs")
    logs = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime)
    for old in logs[: -LOGS_KEPT + 1]:
        old.unlink(missing_ok=True)
    path = folder / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.log"
    try:
        return Log(path)
    except OSError as error:
        raise LocalError(
            f"The log {str(path)!r} cannot be written ({error.strerror}). Set XDG_CACHE_HOME to a folder of your own."
        ) from error
