"""The file that has everything: each line with its time, whatever was shown of it."""

from __future__ import annotations

import os
import tempfile
import traceback
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from overtime.errors import OvertimeError
from overtime.progress.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _now() -> datetime:
    return datetime.now(UTC)


class Log:
    """One log file, readable for its owner alone. What cannot be written does not stop the work; `fault` says why."""

    fault: str = ""

    def __init__(self, path: Path | None = None, *, name: str = "progress", now: Callable[[], datetime] = _now) -> None:
        """Open the file for appending, by default a new one in the folder for temporary files. Raises `OSError`."""
        if path is None:
            descriptor, made = tempfile.mkstemp(prefix=f"overtime-{name}-", suffix=".log")
        else:
            descriptor, made = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), os.fspath(path)
            os.fchmod(descriptor, 0o600)  # an older file may be readable for others
        self.path, self._now = made, now
        self._file: IO[str] = os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", buffering=1)
        self._told: BaseException | None = None

    @property
    def reference(self) -> str:
        """The line that names the file."""
        return f"log: {self.path}{f' (incomplete: {self.fault})' if self.fault else ''}"

    def write(self, text: str) -> None:
        """Write a text under the present time."""
        if self.fault or self._file.closed:
            return
        time = self._now().isoformat(timespec="milliseconds")
        lines = clean(text).splitlines() or [""]
        try:
            self._file.write("\n    ".join((f"{time} {lines[0]}", *lines[1:])) + "\n")
        except OSError as error:
            self.fault = error.strerror or str(error)

    def failure(self, error: BaseException) -> None:
        """Write what went wrong, once.

        The text of an error that is not ours may quote any value, so of such a one only class and place are written.
        """
        if error is self._told:
            return
        self._told = error
        if isinstance(error, OvertimeError):
            self.write(f"error: {error}")
        else:
            self.write(f"error: {type(error).__qualname__}\n{''.join(traceback.format_tb(error.__traceback__))}")

    def close(self) -> None:
        """Close the file; nothing is written any more."""
        try:
            self._file.close()
        except OSError as error:
            self.fault = error.strerror or str(error)
