"""Runs in a container: finds the computer on which the emulator listens, or passes connections on to it.

    relay.py find <port> <name>...     print the first name by which the emulator answers; status 1 if none does
    relay.py relay <port> <name>       listen on 127.0.0.1:<port> and pass everything on to <name>:<port>

Its text is handed to an image's `python3 -c`, so it imports the standard library only.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress

LOOPBACK = "127.0.0.1"
HEALTH = "/_ministack/health"
ASK_SECONDS = 3
CHUNK = 65_536
LOOK_SECONDS = 5
GONE_SECONDS = 60
"""After this time without the emulator a relay ends: whoever started it may have been killed."""


def main(arguments: list[str]) -> int:
    """Do what the first argument says and return the exit status."""
    match arguments:
        case ["find", port, *names]:
            return find(int(port), names)
        case ["relay", port, name]:
            relay(int(port), (name, int(port)))
    return 2


def find(port: int, names: list[str]) -> int:
    """Print the first of these names of the computer by which the emulator answers, and why the others do not."""
    for name in names:
        fault = asked(name, port)
        if not fault:
            print(name)  # noqa: T201 - its output is its result
            return 0
        sys.stderr.write(f"{name}: {fault}\n")
    return 1


def asked(name: str, port: int) -> str:
    """Ask the emulator at this name for its health; returns what is wrong, an empty text if nothing is."""
    # No proxy is between a container and the computer that it runs on.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{name}:{port}{HEALTH}", timeout=ASK_SECONDS):
            return ""
    except (urllib.error.URLError, OSError) as error:
        return str(getattr(error, "reason", "") or error)


def relay(port: int, target: tuple[str, int]) -> None:
    """Pass on what arrives at the port, until nobody has listened at the target for a minute."""
    with socket.create_server((LOOPBACK, port)) as listener:
        threading.Thread(target=_end_without, args=(target,), daemon=True).start()
        while True:
            client = listener.accept()[0]
            threading.Thread(target=_serve, args=(client, target), daemon=True).start()


def _serve(client: socket.socket, target: tuple[str, int]) -> None:
    with client:
        try:
            server = socket.create_connection(target, ASK_SECONDS)
        except OSError:
            return  # the client sees a connection that ends, as where nobody listens
        with server:
            server.settimeout(None)
            there = threading.Thread(target=_pass_on, args=(client, server), daemon=True)
            there.start()
            _pass_on(server, client)
            there.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(CHUNK):
            target.sendall(piece)
    # The other direction may still have something to say.
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _end_without(target: tuple[str, int]) -> None:
    seen = time.monotonic()
    while time.monotonic() - seen < GONE_SECONDS:
        with suppress(OSError):
            socket.create_connection(target, ASK_SECONDS).close()
            seen = time.monotonic()
        time.sleep(LOOK_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
