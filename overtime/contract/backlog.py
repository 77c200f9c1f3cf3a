"""What the program asks the deployed watcher before an update: how much work each function still has.

{"overtime": "backlog"}  →  {"functions": {"overtime-dev-report": {"open_runs": 2, "waiting": 1, "parked": 0}},
"task_retirement_days": 7}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EVENT = {"overtime": "backlog"}
FUNCTIONS, TASK_RETIREMENT_DAYS = "functions", "task_retirement_days"
"""The keys of the answer. Days: how long Fargate waits before it stops tasks of a platform version that it retires."""

RETIREMENT_SETTING: Final = "fargateTaskRetirementWaitPeriod"
"""ECS's account setting that says so (ListAccountSettings): 0, 7 (unless set) or 14 days."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one function still has to do; a number that AWS did not give is None."""

    open_runs: int | None
    """Runs that have not ended, or whose owner has not been notified."""
    waiting: int | None
    """Messages on its failure queue, including those in flight and delayed; approximately, as SQS counts."""
    parked: int | None
    """Messages on its parking queue, likewise."""

    @property
    def nothing(self) -> bool:
        """Whether it is known that there is none."""
        return self.open_runs == self.waiting == self.parked == 0
