"""Finds every external call that a step makes, and lets one of them go wrong."""

from __future__ import annotations

import threading
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import ReadTimeoutError

from tests.doubles.crash import Crash, Fuse

if TYPE_CHECKING:
    from collections.abc import Callable

Call = tuple[str, int]
"""A call by name, such as `dynamodb:UpdateItem`, and the how-manieth of that name it is."""


class Mode(StrEnum):
    """What happens at a call."""

    BEFORE = "before"
    """The process dies just before it."""
    AFTER = "after"
    """The process dies just after it."""
    LOST = "lost"
    """It is carried out, and its answer never comes."""
    DUPLICATE = "duplicate"
    """Just before it, the same message, event, schedule or task is delivered a second time, and that one goes first."""
    LATE = "late"
    """The process dies just before it, and the next delivery comes when everything else is over."""
    FROZEN = "frozen"
    """The process stands still just before it until everything else is over, and then goes on."""


class Wire(Fuse):
    """Writes down the calls of all clients that it wraps, and lets one of them go wrong."""

    def __init__(self, call: Call | None = None, mode: Mode | None = None) -> None:
        super().__init__()
        self.call, self.mode = call, mode
        self.seen: list[Call] = []
        self.tripped = False
        self.meanwhile: Callable[[], object] = int
        """What happens while a call stands."""
        self.over = threading.Event()
        """Set once that has happened; a process whose other thread was refused ends before."""
        self._counts: Counter[str] = Counter()

    def wrap(self, client: object) -> object:
        """Give a client whose calls go over this wire."""
        wire, service = self, _service(client)

        class Wired:
            def __getattr__(self, method: str) -> Callable[..., object]:
                name = f"{service}:{''.join(part.capitalize() for part in method.split('_'))}"
                return lambda **request: wire.carry(name, lambda: getattr(client, method)(**request))

        return Wired()

    def carry(self, name: str, act: Callable[[], object]) -> object:
        """Carry out one call, or what is to happen instead."""
        self._counts[name] += 1
        call = (name, self._counts[name])
        self.seen.append(call)
        if self.tripped or call != self.call:
            return act()
        self.tripped = True
        match self.mode:
            case Mode.BEFORE | Mode.LATE:
                raise Crash
            case Mode.AFTER:
                _whatever_comes_of(act)
                raise Crash
            case Mode.LOST:
                _whatever_comes_of(act)
                raise ReadTimeoutError(endpoint_url=f"https://{name.partition(':')[0]}")
            case _:
                try:
                    self.meanwhile()
                finally:
                    self.over.set()
                return act()


def _whatever_comes_of(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:  # noqa: BLE001 -- a refusal, too, is an answer that nobody gets
        return


def _service(client: object) -> str:
    named: object = getattr(client, "service", None)
    if isinstance(named, str):
        return named
    meta: object = getattr(client, "meta", None)
    return str(getattr(getattr(meta, "service_model", None), "service_name", type(client).__name__))
