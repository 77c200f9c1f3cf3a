"""What the watcher knows about the functions; the table is a file beside its code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pulumi

    from overtime.components.fargate_fallback import FargateFallback


def functions_table(functions: Iterable[FargateFallback]) -> dict[str, dict[str, pulumi.Input[str] | int]]:
    """Return what the watcher needs to know about each function, by its name in AWS: see `contract.functions_table`."""
    table: dict[str, dict[str, pulumi.Input[str] | int]] = {}
    for each in functions:
        options, destinations = each.options, each.options.destinations
        table[each.function.name] = {
            "function_arn": each.function.arn,
            "queue_url": each.failures.url,
            "parking_queue_url": each.failures.parking_url,
            "lambda_attempts": options.attempts,
            "max_task_attempts": options.max_task_attempts,
            **({"on_success": destinations.on_success} if destinations.on_success else {}),
            **({"on_failure": destinations.on_failure} if destinations.on_failure else {}),
        }
    return table
