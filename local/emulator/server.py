"""`python -m local.emulator.server <listening socket>`: ministack, patched, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

from local.emulator.patches import apply
from local.emulator.settings import PARENT_VARIABLE
from local.errors import LocalError


def main() -> int:
    """Serve on the socket whose descriptor is the only argument."""
    parent = os.environ.get(PARENT_VARIABLE)
    if parent:
        threading.Thread(target=_stop_without, args=(int(parent),), daemon=True).start()
    try:
        patched = apply()
    except LocalError as error:
        sys.stderr.write(f"overtime: {error}\n")
        return 1

    from hypercorn.asyncio import serve  # noqa: PLC0415 - only of use once ministack is there and fits
    from hypercorn.config import Config  # noqa: PLC0415

    config = Config()
    config.bind = [f"fd://{sys.argv[1]}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    try:
        asyncio.run(serve(patched.application, config))
    finally:
        patched.clean_up()
    return 0


def _stop_without(parent: int) -> None:
    """End this process when its parent is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
