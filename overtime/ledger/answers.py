"""The ledger's answers to changes, and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

    from overtime.ledger.run import Run


class LedgerUnavailableError(OvertimeError):
    """A call to DynamoDB or S3 failed; whether anything was written is unknown."""


class ObjectGoneError(LedgerUnavailableError):
    """An event or a result is not in the bucket: it has expired, was never written, or was replaced."""


@dataclass(frozen=True)
class Recorded:
    """The run was new, and is now recorded."""

    run: Run


@dataclass(frozen=True)
class AlreadyRecorded:
    """The run was already in the ledger; `run` is its current state."""

    run: Run


@dataclass(frozen=True)
class Moved:
    """The change was made; `run` is the run after it."""

    run: Run


@dataclass(frozen=True)
class Refused:
    """The condition of the change was not met; `run` is the unchanged run, or None if there is no such run."""

    run: Run | None


def error_code(error: ClientError) -> str:
    """Return AWS's error code, or an empty string."""
    return error.response.get("Error", {}).get("Code", "")
