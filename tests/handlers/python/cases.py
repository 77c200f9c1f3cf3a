"""Ends a run in the way that the event names; each family has such a function. Returns the SHA-256 of other events."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from awslambdaric.lambda_runtime_marshaller import json  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable

GREETING = os.environ.get("GREETING")

loads = json.loads
texts: list[bytes] = []


def keeping(text: bytes, **more: Any) -> Any:
    """Keep the event's text: the runtime client gives only what `json.loads` makes of it."""
    texts.append(text)
    return loads(text, **more)


json.loads = keeping


class NoSuchCustomer(Exception):  # noqa: N818 -- the same name in every family
    """An error of the function's own."""


def handler(event: Any, context: object) -> object:  # noqa: ARG001 -- Lambda's signature
    if isinstance(event, dict) and "case" in event:
        return CASES[event["case"]](event)
    return hashlib.sha256(texts[-1]).hexdigest()


def returns(event: dict[str, int]) -> str:
    """Return a text whose JSON has so many bytes."""
    return "x" * (event["bytes"] - 2)


def prints(event: dict[str, int]) -> str:
    """Print so many KiB, in lines of one."""
    for _ in range(event["kib"]):
        sys.stdout.write("y" * 1023 + "\n")
    return "printed"


def throws(_: object) -> NoReturn:
    """Raise an error of the function's own."""
    raise NoSuchCustomer("no such customer")


def exits(_: object) -> NoReturn:
    """Leave with a status of its own."""
    sys.exit(3)


def hoards(_: object) -> NoReturn:
    """Take memory until there is none."""
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1 << 10) * (1 << 14)))


def sleeps(_: object) -> None:
    """Take an hour."""
    sys.stdout.write("sleeping\n")
    sys.stdout.flush()
    time.sleep(3600)


def layers(_: object) -> dict[str, str]:
    """Tell from which layers its modules are."""
    import only_lower  # type: ignore[import-not-found] # noqa: PLC0415 -- only this case has the layers
    import shared  # type: ignore[import-not-found] # noqa: PLC0415

    return {"shared": shared.FROM, "only_lower": only_lower.FROM}


def native(_: object) -> int:
    """Call a library of a layer."""
    return int(ctypes.CDLL("libanswer.so").answer())


CASES: dict[str, Callable[[Any], object]] = {
    "returns": returns,
    "prints": prints,
    "throws": throws,
    "exits": exits,
    "hoards": hoards,
    "sleeps": sleeps,
    "greets": lambda _: GREETING,
    "layers": layers,
    "native": native,
}
