"""What a deployment has done, and where things are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Outputs = Mapping[str, object]
"""What the stack exports: functions, cluster, ledger, images. Secrets are `WITHHELD` unless they were asked for."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one preview, up, refresh or destroy did, or would do."""

    changes: Mapping[str, int]
    """Resources by what was done with them, such as `{"create": 40}` or `{"same": 38, "update": 2}`."""
    seconds: int
    """How long the engine took."""
    outputs: Outputs = field(default_factory=dict)
    """The stack's outputs, after an up."""

    @property
    def unchanged(self) -> bool:
        """Whether everything was as it should be."""
        return not set(self.changes) - {"same", "read"}
