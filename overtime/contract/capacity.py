"""What a function's tasks run on: the words of the setting `capacity` and of the dispatcher."""

from __future__ import annotations

from enum import StrEnum


class Capacity(StrEnum):
    """A kind of Fargate capacity."""

    ON_DEMAND = "on_demand"
    SPOT = "spot"
