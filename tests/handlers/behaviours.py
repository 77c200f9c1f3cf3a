"""One handler for each way in which a run can go on and end; the event says how much of it."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from typing import NoReturn, TypedDict


class Amount(TypedDict):
    """How many bytes."""

    bytes: int


def returns(event: Amount, context: object) -> str:  # noqa: ARG001 -- Lambda's signature, here and below
    """Return a text whose JSON has so many bytes."""
    return "x" * (event["bytes"] - 2)


def prints(event: Amount, context: object) -> str:  # noqa: ARG001
    """Write so many bytes, in lines, to stdout, and a line to stderr."""
    line = "y" * 1023 + "\n"
    for _ in range(event["bytes"] // len(line)):
        sys.stdout.write(line)
    sys.stderr.write("this went to stderr\n")
    return "printed"


def nothing(event: object, context: object) -> None:
    """Return None."""


def unserialisable(event: object, context: object) -> object:  # noqa: ARG001
    """Return what has no JSON."""
    return {1, 2, 3}


def raises(event: object, context: object) -> NoReturn:  # noqa: ARG001
    """Raise an error of the function's own."""
    raise LookupError("no such customer")


def raises_half_a_pair(event: object, context: object) -> NoReturn:  # noqa: ARG001
    """Raise an error whose type has half of a surrogate pair in its name."""

    class Naming(type):
        __name__ = property(lambda _: "Half\ud800")

    class Named(Exception, metaclass=Naming):  # noqa: N818
        pass

    raise Named


def exits(event: object, context: object) -> NoReturn:  # noqa: ARG001
    """Leave with a status of its own."""
    sys.exit(3)


def leaves(event: object, context: object) -> NoReturn:  # noqa: ARG001
    """Leave as if all were well."""
    sys.exit(0)


def killed(event: object, context: object) -> None:  # noqa: ARG001
    """End by SIGKILL, as the kernel ends what takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def hungry(event: object, context: object) -> int:  # noqa: ARG001
    """Take memory until there is none: a container's limit kills it."""
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(1 << 20) * 16))


def limited(event: object, context: object) -> int:  # noqa: ARG001
    """Meet Python's own MemoryError, under a limit that no container is needed for."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    return len(bytearray(1 << 31))


def threads(event: object, context: object) -> list[int]:  # noqa: ARG001
    """Work in threads, and leave one behind that would never end."""
    squares: list[int] = []
    workers = [threading.Thread(target=lambda number=number: squares.append(number**2)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return sorted(squares)


def sleeps(event: object, context: object) -> str:  # noqa: ARG001
    """Take an hour."""
    sys.stdout.write("sleeping\n")
    time.sleep(3600)
    return "awake"


class Nap(TypedDict):
    """How long."""

    seconds: float


def naps(event: Nap, context: object) -> float:  # noqa: ARG001
    """Take so many seconds."""
    sys.stdout.write("napping\n")
    sys.stdout.flush()
    time.sleep(event["seconds"])
    return event["seconds"]


class Word(TypedDict):
    """The object that is waited for."""

    bucket: str
    key: str


def waits(event: Word, context: object) -> str:  # noqa: ARG001
    """Go on until an object is there."""
    import boto3  # noqa: PLC0415 -- only this one needs it

    s3 = boto3.client("s3")
    while not s3.list_objects_v2(Bucket=event["bucket"], Prefix=event["key"])["KeyCount"]:
        time.sleep(0.5)
    return "it is there"


def stoppable(event: object, context: object) -> str:  # noqa: ARG001
    """Take an hour, or end early and in order when told to stop."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    sys.stdout.write("sleeping\n")
    told.wait(3600)
    return "stopped in order"


def stubborn(event: object, context: object) -> str:
    """Take an hour whatever it is told."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return sleeps(event, context)


def with_children(event: object, context: object) -> int:  # noqa: ARG001
    """Return while a process that it started would go on for an hour; its id is the result."""
    return os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "3600")
