"""The base class of all errors that overtime raises. Their texts name the problem, the value, and what to do next."""

from __future__ import annotations


class OvertimeError(Exception):
    """Base class of every error that overtime itself raises."""
