"""A process that crashes around a call to AWS, played in the process of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Crash(BaseException):
    """The process has ended: nothing catches this."""


class Fuse:
    """Ends the process just before or just after the n-th call of all clients that it wraps; 0 lets it live."""

    def __init__(self, at: int = 0, *, after: bool = False) -> None:
        self.at, self.after, self.calls = at, after, 0

    def wrap(self, client: object) -> object:
        """Return a client whose calls are counted."""
        fuse = self

        class Wrapped:
            def __getattr__(self, name: str) -> Callable[..., object]:
                def call(**request: object) -> object:
                    fuse.calls += 1
                    if fuse.calls == fuse.at and not fuse.after:
                        raise Crash
                    try:
                        answer: object = getattr(client, name)(**request)
                    finally:
                        if fuse.calls == fuse.at:
                            raise Crash
                    return answer

                return call

        return Wrapped()
