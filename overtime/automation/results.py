"""What the methods of a deployment return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Outputs = Mapping[str, object]
"""The stack's outputs: functions, cluster, ledger, images and so on. Secrets are `WITHHELD` unless requested."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a preview, up, refresh or destroy did, or would do."""

    changes: Mapping[str, int]
    """Number of resources by operation, such as `{"create": 40}` or `{"same": 38, "update": 2}`."""
    seconds: int
    """Duration of the operation."""
    outputs: Outputs = field(default_factory=dict)
    """The stack's outputs, after `up`."""

    @property
    def unchanged(self) -> bool:
        """Whether there was nothing to change."""
        return not set(self.changes) - {"same", "read"}
