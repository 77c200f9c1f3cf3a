"""What the runner's exit codes mean: the runner ends with them, the watcher reads them where the ledger says no more.

The runner imports this before the handler can start, so it stays on what `json` has loaded anyway.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """How the runner ended."""

    HANDLER_RETURNED = 0
    HANDLER_FAILED = 1
    """It raised, exited, was killed, timed out or was told to stop."""
    NOT_OURS = 2
    """Another task has the run, or it has ended: nothing was run."""
    BAD_ENVIRONMENT = 64
    CODE = 65
    """The function's code could not be fetched, verified or unpacked, and never will be."""
    PERMISSION_MISSING = 66
    UNAVAILABLE = 67
    """The runner did not get from AWS what the handler needs, or could not write how it ended.

    A run that is still open by then is launched again.
    """
    INTERNAL = 70
    """A defect in the runner."""


ERROR_TYPES: Mapping[int, str] = MappingProxyType(
    {
        ExitCode.NOT_OURS: "Overtime.NotOurs",
        ExitCode.BAD_ENVIRONMENT: "Overtime.BadEnvironment",
        ExitCode.CODE: "Overtime.Code",
        ExitCode.PERMISSION_MISSING: "Overtime.PermissionMissing",
        ExitCode.UNAVAILABLE: "Overtime.Unavailable",
        ExitCode.INTERNAL: "Overtime.Internal",
    }
)
"""The ledger's `error_type` of each code that says nothing about the handler."""
