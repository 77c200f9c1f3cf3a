"""Lambda's error types of a failed invocation, as Lambda writes them into failure records and the runner into results.

https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
"""

from __future__ import annotations

from enum import StrEnum

TIMED_OUT = "Sandbox.Timedout"
OUT_OF_MEMORY = "Runtime.OutOfMemory"
EXIT_ERROR = "Runtime.ExitError"
"""The runtime's process exited or was killed before it responded."""
INVALID_ENTRYPOINT = "Runtime.InvalidEntrypoint"
"""The function's bootstrap is missing or cannot be executed."""
INVALID_RESPONSE_MODE = "Runtime.InvalidResponseModeHeader"
"""The runtime announced its response in a mode that Lambda does not know."""
TRUNCATED_RESPONSE = "Runtime.TruncatedResponse"
"""The runtime broke off its response."""
UNKNOWN = "Runtime.Unknown"
"""The runtime named no type of its error."""
UNHANDLED = "Unhandled"
"""The error has no type of its own."""
PREFIX = "Overtime."


class PlatformError(StrEnum):
    """What ended a run or a task without fault of the handler; `error_type` in the ledger. All begin with `PREFIX`."""

    NOT_OURS = "Overtime.NotOurs"
    BAD_ENVIRONMENT = "Overtime.BadEnvironment"
    CODE = "Overtime.Code"
    PERMISSION_MISSING = "Overtime.PermissionMissing"
    UNAVAILABLE = "Overtime.Unavailable"
    INTERNAL = "Overtime.Internal"
    SPOT_INTERRUPTION = "Overtime.SpotInterruption"
    TASK_LOST = "Overtime.TaskLost"
    NO_CAPACITY = "Overtime.NoCapacity"
    IMAGE_PULL = "Overtime.ImagePull"
    HOST_FAILURE = "Overtime.HostFailure"
    TASK_FAILED_TO_START = "Overtime.TaskFailedToStart"
    NO_EXIT_CODE = "Overtime.NoExitCode"
    NEVER_CLAIMED = "Overtime.NeverClaimed"
    RUN_ENDED = "Overtime.RunEnded"
    CANCELLED = "Overtime.Cancelled"
    STOPPED = "Overtime.Stopped"
