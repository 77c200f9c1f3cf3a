"""The context that Lambda passes to a handler, as far as the loggers and the handlers read it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Context:
    """One invocation of a function."""

    function_name: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    aws_request_id: str = "i-1"
    left: list[int] = field(default_factory=lambda: [60_000])
    """The remaining milliseconds that each call finds; the last value repeats."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the remaining time."""
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]
