"""What can keep the runner from its work, by exit code; the text is the one line that the log shows."""

from __future__ import annotations

from overtime.contract.exit_codes import ERROR_TYPES, ExitCode
from overtime.errors import OvertimeError


class RunnerError(OvertimeError):
    """The runner could not do its work; the handler is not to blame."""

    exit_code = ExitCode.INTERNAL
    error_type = ERROR_TYPES[ExitCode.INTERNAL]
    may_pass = False
    """Whether another task may succeed: then the run is not closed, and the watcher launches it again."""


class NotOursError(RunnerError):
    """Another task has the run, or it has ended: there is nothing to do here, and that is as it should be."""

    exit_code = ExitCode.NOT_OURS
    error_type = ERROR_TYPES[ExitCode.NOT_OURS]


class StoppedError(RunnerError):
    """The task was told to stop before its handler began."""

    exit_code = ExitCode.HANDLER_FAILED
    error_type = "Overtime.Stopped"


class BadEnvironmentError(RunnerError):
    """The task's environment variables do not say what to run."""

    exit_code = ExitCode.BAD_ENVIRONMENT
    error_type = ERROR_TYPES[ExitCode.BAD_ENVIRONMENT]


class CodeError(RunnerError):
    """The function's code cannot be fetched, is not what Lambda says it is, or cannot be unpacked."""

    exit_code = ExitCode.CODE
    error_type = ERROR_TYPES[ExitCode.CODE]


class PermissionMissingError(RunnerError):
    """AWS refused a call that the task's role must be allowed to make."""

    exit_code = ExitCode.PERMISSION_MISSING
    error_type = ERROR_TYPES[ExitCode.PERMISSION_MISSING]


class UnavailableError(RunnerError):
    """AWS did not give what the run needs, or did not take how it ended.

    `may_pass` is False where trying again is no use, such as for an event that is not there.
    """

    exit_code = ExitCode.UNAVAILABLE
    error_type = ERROR_TYPES[ExitCode.UNAVAILABLE]

    def __init__(self, text: str, *, may_pass: bool = True) -> None:
        super().__init__(text)
        self.may_pass = may_pass
