"""Uses a Python as the runner does, and prints what it has loaded, as JSON: the files of modules and of machine code.

It runs once in the interpreter that is to be made portable, and once in the portable one. Until everything is listed,
it imports only what the runner does.
"""

# ruff: noqa: PTH123, S102, PLC0415 -- pathlib would be listed; the statements are the runner's own imports

from __future__ import annotations

import sys


def main(app: str, statements: str, encodings: str) -> None:
    """Import, use and list everything. Raises what fails."""
    sys.path.insert(0, app)
    exec(statements, {})
    import codecs
    import contextlib
    import hashlib
    import json
    import os
    import socket
    import ssl
    import traceback

    for name in encodings.split():
        codecs.lookup(name)
    socket.getaddrinfo(b"127.0.0.1", 443, type=socket.SOCK_STREAM)
    with contextlib.suppress(OSError):  # not every machine knows itself by that name
        socket.getaddrinfo(b"localhost", 443, type=socket.SOCK_STREAM)
    traceback.format_exception(OSError())
    hashlib.new("sha256", b"").hexdigest()
    ssl.create_default_context()
    if not (child := os.fork()):
        os._exit(0)
    os.wait4(child, 0)  # imports a module for its result
    modules = {name: origin for name in sys.modules if name != "__main__" and (origin := _file_of(name))}
    with open("/proc/self/maps", encoding="utf-8") as file:
        fields = (line.rstrip("\n").split(maxsplit=5) for line in file if "/" in line)
        mapped = {path for _, permissions, *_, path in fields if "x" in permissions}
    ca_file = ssl.get_default_verify_paths().cafile
    sys.stdout.write(json.dumps({"modules": modules, "mapped": sorted(mapped), "ca_file": ca_file}))


def _file_of(name: str) -> str | None:
    """Return the file that an import would load: a module may replace itself by another, with another's file."""
    parent = name.rpartition(".")[0]
    path = getattr(sys.modules[parent], "__path__", ()) if parent else None
    found = (finder.find_spec(name, path) for finder in sys.meta_path)
    spec = next((each for each in found if each is not None), None)
    return spec.origin if spec is not None and spec.has_location else None


if __name__ == "__main__":
    main(*sys.argv[1:])
