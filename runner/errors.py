"""What can keep the runner from its work, by exit code; the text is the one line that the log shows."""

from __future__ import annotations

from overtime.errors import OvertimeError

HANDLER_RETURNED = 0
HANDLER_FAILED = 1


class RunnerError(OvertimeError):
    """The runner could not do its work; the handler is not to blame."""

    exit_code = 70
    error_type = "Overtime.Internal"


class NotOursError(RunnerError):
    """Another task has the run, or it has ended: there is nothing to do here, and that is as it should be."""

    exit_code = 2
    error_type = "Overtime.NotOurs"


class StoppedError(RunnerError):
    """The task was told to stop before its handler began."""

    exit_code = HANDLER_FAILED
    error_type = "Overtime.Stopped"


class BadEnvironmentError(RunnerError):
    """The task's environment variables do not say what to run."""

    exit_code = 64
    error_type = "Overtime.BadEnvironment"


class CodeError(RunnerError):
    """The function's code could not be fetched, is not what Lambda says it is, or cannot be unpacked."""

    exit_code = 65
    error_type = "Overtime.Code"


class PermissionMissingError(RunnerError):
    """AWS refused a call that the task's role must be allowed to make."""

    exit_code = 66
    error_type = "Overtime.PermissionMissing"


class LedgerUnavailableError(RunnerError):
    """The run ledger or the event could not be reached, for as long as we were to try."""

    exit_code = 67
    error_type = "Overtime.LedgerUnavailable"
