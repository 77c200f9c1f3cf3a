"""The figures that dispatcher and watcher write to their logs, as CloudWatch names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulumi

NAMESPACE = "overtime"
DISPATCHER, WATCHER = "dispatcher", "watcher"
"""Who counts: the folder of the code, and the second dimension of its figures."""


def emitted_by(part: str) -> dict[str, str]:
    """Give the variables that tell the part's libraries whose figures these are."""
    return {"POWERTOOLS_SERVICE_NAME": part, "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE}


def dimensions(function_name: str, part: str) -> dict[str, pulumi.Input[str]]:
    """Give the dimensions of a function's figures; there are no others, so their number stays small.

    What is about the stack as a whole has the watcher's own name: an account may have other stacks.
    """
    return {"function_name": function_name, "service": part}
