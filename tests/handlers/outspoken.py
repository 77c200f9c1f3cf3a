"""Handlers that do to the log what handlers do: close it, replace it, leave a line unfinished, log with newlines."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from typing import NoReturn


def logs(event: object, context: object) -> None:  # noqa: ARG001 -- Lambda's signature, here and below
    """Print and log; the records have more than one line."""
    logging.getLogger().warning("one\ntwo\n\nthree")
    logging.getLogger().error("last\n")


def unfinished(event: object, context: object) -> str:  # noqa: ARG001
    """Leave both streams in the middle of a line."""
    sys.stdout.write("stdout goes on")
    sys.stderr.write("stderr goes on")
    return "done"


def silences(event: str, context: object) -> str:  # noqa: ARG001
    """Do away with stdout in the way that the event names."""
    if event == "close":
        sys.stdout.close()
    elif event == "replace":
        sys.stdout = io.StringIO()
    elif event == "none":
        sys.stdout = None
    else:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return event


def silences_and_raises(event: str, context: object) -> NoReturn:
    """Do away with stdout, log, and raise."""
    silences(event, context)
    logging.getLogger().warning("still logged")
    raise LookupError("no such customer")


def blocks_not(event: object, context: object) -> int:  # noqa: ARG001
    """Make its own stdout one that does not wait, as event loops do, and print more than a pipe holds."""
    os.set_blocking(1, False)
    return os.write(1, b"x" * 65536 * 8)


def leaves_a_writer(event: object, context: object) -> str:  # noqa: ARG001
    """Leave processes behind that have groups of their own and write for ever, faster than anybody reads."""
    for _ in range(8):
        os.posix_spawnp("yes", ["yes"], os.environ, setsid=True, setsigdef=[signal.SIGPIPE])
    return "done"
