"""What the program asks the deployed watcher before an update: how much work each function has left.

{"overtime": "backlog"}  →  {"functions": {"overtime-dev-report": {"open_runs": 2, "waiting": 1, "parked": 0}},
"task_retirement_days": 7}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EVENT = {"overtime": "backlog"}
FUNCTIONS, TASK_RETIREMENT_DAYS = "functions", "task_retirement_days"
"""The keys of the answer. Days: how long Fargate waits before it stops tasks on a platform version that it retires."""

RETIREMENT_SETTING: Final = "fargateTaskRetirementWaitPeriod"
"""The ECS account setting for that wait (ListAccountSettings): 0, 7 (the default) or 14 days."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """The work that one function has left; a count is None if AWS did not return it."""

    open_runs: int | None
    """Runs that have not ended, or whose destination has not been notified."""
    waiting: int | None
    """Messages on its failure queue, including those in flight and delayed; SQS's count is approximate."""
    parked: int | None
    """Messages on its parking queue, likewise."""

    @property
    def nothing(self) -> bool:
        """Whether all three counts are known to be 0."""
        return self.open_runs == self.waiting == self.parked == 0
