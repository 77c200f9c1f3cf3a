"""The messages that threads and signal handlers put on the main thread's queue."""

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
    """In order: the code is in place; the runtime has received the event; it asks for another one; the task is being
    stopped; the runtime's answer; the process's end."""


class Answer:
    """The runtime's answer: `kind` is response, error or init_error; `body` is empty if it is too large.

    `error_type` is what the runtime reports beside the body, in a header or in a trailer.
    """

    def __init__(self, kind: str, body: bytes, size: int, error_type: str = "") -> None:
        self.kind, self.body, self.size, self.error_type = kind, body, size, error_type


class Exit:
    """How the process ended: `code` is its exit status, negative for a signal; its peak memory in MiB."""

    def __init__(self, code: int, usage: struct_rusage | None = None) -> None:
        self.code = code
        self.peak_mib = usage.ru_maxrss // 1024 if usage else 0
