"""The errors that overtime raises on purpose; each text says what happened, with which value, and what to do next."""

from __future__ import annotations


class OvertimeError(Exception):
    """Root of the family: catch it to catch everything that overtime itself reports."""
