"""The combinations of CPU units and memory that Fargate offers.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY_MIB: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {
        256: (512, 1024, 2048),
        512: tuple(range(1024, 4096 + 1, 1024)),
        1024: tuple(range(2048, 8192 + 1, 1024)),
        2048: tuple(range(4096, 16384 + 1, 1024)),
        4096: tuple(range(8192, 30720 + 1, 1024)),
        8192: tuple(range(16384, 61440 + 1, 4096)),
        16384: tuple(range(32768, 122880 + 1, 8192)),
    }
)
"""CPU units (1024 = one vCPU) → the memory sizes in MiB that Fargate offers with them, ascending."""

_LISTED = 4  # longer lists read better as a range


def allowed(cpu: int) -> str:
    """Return in words which memory sizes Fargate offers with so many CPU units, for an error text."""
    sizes = MEMORY_MIB[cpu]
    if len(sizes) <= _LISTED:
        return f"{', '.join(map(str, sizes[:-1]))} or {sizes[-1]} MiB"
    return f"{sizes[0]} to {sizes[-1]} MiB in steps of {sizes[1] - sizes[0]}"


def nearest(cpu: int, memory_mib: int) -> int:
    """Return the smallest size offered that is at least `memory_mib`, otherwise the largest."""
    return next((size for size in MEMORY_MIB[cpu] if size >= memory_mib), MEMORY_MIB[cpu][-1])


def cpu_for(memory_mib: int) -> int:
    """Return the fewest CPU units with which Fargate offers so much memory. Raise `StopIteration` if none has it."""
    return next(cpu for cpu, sizes in MEMORY_MIB.items() if sizes[-1] >= memory_mib)
