"""What the local stack reports on purpose."""

from __future__ import annotations

from overtime.errors import OvertimeError


class LocalError(OvertimeError):
    """Something on this computer is missing or went wrong; the text says what to do about it."""
