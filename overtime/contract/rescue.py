"""Which failures of a function continue on Fargate: the words of the setting `rescue` and of the dispatcher's rule."""

from __future__ import annotations

from enum import StrEnum


class Rescue(StrEnum):
    """A kind of failure that is handed over."""

    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    ANY = "any"


NOTHING = "nothing"
"""The dispatcher's rule while its function is being drained."""
