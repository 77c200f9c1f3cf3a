"""Tells how its process was started, as it finds it when it is imported."""

from __future__ import annotations

import os
import signal
import sys

main = sys.modules["__main__"]
AT_IMPORT = {
    "modules": sorted(name for name in sys.modules if name != __name__),
    "path": list(sys.path),
    "flags": str(sys.flags),
    "arguments": [sys.argv, sys.orig_argv],
    "environment": dict(os.environ),
    "folder": os.getcwd(),  # noqa: PTH109 -- as little as possible is imported here
    "main": {
        name: str(value).partition(" at 0x")[0]
        for name, value in vars(main).items()
        if name.startswith("__") and name != "__doc__"
    },
    "names": sorted(vars(main)),
    "signals": {each.name: str(signal.getsignal(each)) for each in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT)},
}


def handler(event: object, context: object) -> object:  # noqa: ARG001 -- Lambda's signature
    return AT_IMPORT
