"""What threads and signal handlers report to the main thread, through its one queue."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from resource import struct_rusage
    from typing import Literal, TypeAlias

    Message: TypeAlias = (
        tuple[Literal["fetched", "begun", "idle", "terminate"], None]
        | tuple[Literal["answer"], "Answer"]
        | tuple[Literal["exit"], "Exit"]
    )
    """The code is in place, the event was handed out, the runtime asked for another event, the task is to stop; the
    runtime's answer; the process's end."""


class Answer:
    """What the runtime said: `kind` is response, error or init_error; a result too large has its size only."""

    def __init__(self, kind: str, body: bytes, size: int) -> None:
        self.kind, self.body, self.size = kind, body, size


class Exit:
    """How the process ended: `code` is its exit status, negative for a signal; its peak memory in MiB."""

    def __init__(self, code: int, usage: struct_rusage | None = None) -> None:
        self.code = code
        self.peak_mib = usage.ru_maxrss // 1024 if usage else 0
