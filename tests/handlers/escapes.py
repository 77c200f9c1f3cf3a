"""Handlers that get out of the runner's reach, as programs that they start may do as well."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TypedDict


class Then(TypedDict):
    """What to do out there: return or sleep."""

    returns: bool


def _then(event: Then) -> int:
    if event["returns"]:
        return os.getpid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdout.write("sleeping\n")
    time.sleep(3600)
    return 0


def into_another_group(event: Then, context: object) -> int:  # noqa: ARG001 -- Lambda's signature, here and below
    """Leave the group that the runner made, for one that a child leads."""
    child = os.fork()
    if child == 0:
        time.sleep(1)
        os._exit(0)
    os.setpgid(child, child)
    os.setpgid(0, child)
    return _then(event)


def into_the_runners_group(event: Then, context: object) -> int:  # noqa: ARG001
    """Join the group of whoever started this process: whoever signals that group ends itself."""
    os.setpgid(0, os.getpgid(os.getppid()))
    return _then(event)


def stops_itself(event: object, context: object) -> None:  # noqa: ARG001
    """Stop as by Ctrl-Z, for good."""
    sys.stdout.write("stopping\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGSTOP)


def leaves_a_daemon(event: object, context: object) -> int:  # noqa: ARG001
    """Leave a daemon behind: in a session of its own, an orphan, with stdout and stderr still open. Return its id."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        daemon = os.fork()
        if daemon == 0:
            os.execlp("sleep", "sleep", "3600")
        os.write(write, str(daemon).encode())
        os._exit(0)
    return int(os.read(read, 20))
