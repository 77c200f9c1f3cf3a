"""The runner's own errors, each with its exit code; the text is the line that the log shows."""

from __future__ import annotations

from overtime.contract.error_types import PlatformError
from overtime.contract.exit_codes import ERROR_TYPES, ExitCode
from overtime.errors import OvertimeError


class RunnerError(OvertimeError):
    """The runner could not do its work; the handler is not the cause."""

    exit_code = ExitCode.INTERNAL
    error_type = ERROR_TYPES[ExitCode.INTERNAL]
    may_pass = False
    """Whether another task may succeed: then the run stays open, and the watcher relaunches it."""


class NotOursError(RunnerError):
    """Another task has claimed the run, or it has already ended; there is nothing to do, which is not a failure."""

    exit_code = ExitCode.NOT_OURS
    error_type = ERROR_TYPES[ExitCode.NOT_OURS]


class StoppedError(RunnerError):
    """The task was stopped before its handler started."""

    exit_code = ExitCode.HANDLER_FAILED
    error_type = PlatformError.STOPPED


class BadEnvironmentError(RunnerError):
    """The task's environment variables do not define what to run."""

    exit_code = ExitCode.BAD_ENVIRONMENT
    error_type = ERROR_TYPES[ExitCode.BAD_ENVIRONMENT]


class CodeError(RunnerError):
    """The function's code cannot be fetched, has the wrong hash, or cannot be unpacked."""

    exit_code = ExitCode.CODE
    error_type = ERROR_TYPES[ExitCode.CODE]


class PermissionMissingError(RunnerError):
    """AWS refused a call that the task's role must be allowed to make."""

    exit_code = ExitCode.PERMISSION_MISSING
    error_type = ERROR_TYPES[ExitCode.PERMISSION_MISSING]


class UnavailableError(RunnerError):
    """The runner could not get what the run needs from AWS, or could not record the outcome.

    `may_pass` is False if no retry can help, for example because the event is missing.
    """

    exit_code = ExitCode.UNAVAILABLE
    error_type = ERROR_TYPES[ExitCode.UNAVAILABLE]

    def __init__(self, text: str, *, may_pass: bool = True) -> None:
        super().__init__(text)
        self.may_pass = may_pass
