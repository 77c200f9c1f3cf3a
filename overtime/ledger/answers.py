"""What the ledger answers to a change, and the errors for where it does not answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

    from overtime.ledger.run import Run


class LedgerUnavailableError(OvertimeError):
    """DynamoDB or S3 did not do what the ledger asked; whether the write happened is not known."""


class ObjectGoneError(LedgerUnavailableError):
    """An event or a result is not in the bucket any more; its time was over."""


@dataclass(frozen=True)
class Recorded:
    """The run is new, and now written down."""

    run: Run


@dataclass(frozen=True)
class AlreadyRecorded:
    """The run was known before; this is how it stands."""

    run: Run


@dataclass(frozen=True)
class Moved:
    """The run changed as asked."""

    run: Run


@dataclass(frozen=True)
class Refused:
    """The run did not allow the change; this is how it stands, or nothing where there is no such run."""

    run: Run | None


def error_code(error: ClientError) -> str:
    """Read AWS's own word for an error."""
    return error.response.get("Error", {}).get("Code", "")
