"""The runner's exit codes: the watcher interprets them if the runner recorded no outcome in the ledger.

The runner imports this before the handler can start, so it imports only what `json` loads anyway.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType

from overtime.contract.error_types import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """Why the runner exited."""

    HANDLER_RETURNED = 0
    HANDLER_FAILED = 1
    """It raised, exited, was killed, timed out or was stopped."""
    NOT_OURS = 2
    """Another task has claimed the run, or it has already ended; the handler did not start."""
    BAD_ENVIRONMENT = 64
    CODE = 65
    """The function's code could not be fetched, verified or unpacked, for a permanent reason."""
    PERMISSION_MISSING = 66
    UNAVAILABLE = 67
    """The runner could not get what the handler needs from AWS, or could not record the outcome.

    The watcher relaunches a run that is still open.
    """
    INTERNAL = 70
    """A bug in the runner."""


ERROR_TYPES: Mapping[int, str] = MappingProxyType(
    {
        ExitCode.NOT_OURS: PlatformError.NOT_OURS.value,
        ExitCode.BAD_ENVIRONMENT: PlatformError.BAD_ENVIRONMENT.value,
        ExitCode.CODE: PlatformError.CODE.value,
        ExitCode.PERMISSION_MISSING: PlatformError.PERMISSION_MISSING.value,
        ExitCode.UNAVAILABLE: PlatformError.UNAVAILABLE.value,
        ExitCode.INTERNAL: PlatformError.INTERNAL.value,
    }
)
"""The ledger's `error_type` of each exit code that the handler did not cause."""
