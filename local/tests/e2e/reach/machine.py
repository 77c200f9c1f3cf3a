"""A container engine in a network of its own, as Docker Desktop's in its virtual machine, with a way to this computer.

Root can give a process a network with nothing but a loopback of its own. As there, the engine, its containers with the
host's network and its pulls share one 127.0.0.1, which is not this computer's, and one address leads to this computer:
here 127.0.0.2, from where connections go through a socket in the file system.

    machine.py engine <command>...          bring the loopback up, and become the engine
    machine.py gateway <port> <socket>      listen on 127.0.0.2:<port> inside, and pass everything on to the socket
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from local import docker_daemon, leftovers, paths, relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.docker_daemon import ContainerEngine

GATEWAY = "127.0.0.2"
# netdevice(7) and linux/if.h.
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
START_SECONDS = 60


def main(arguments: list[str]) -> None:
    """Run inside the other network."""
    match arguments:
        case ["engine", *command]:
            bring_loopback_up()
            os.execvp(command[0], command)
        case ["gateway", port, path]:
            with socket.create_server((GATEWAY, int(port))) as listener:
                print("ready", flush=True)  # noqa: T201 - whoever started it waits for that
                serve(listener, lambda: to_socket(path))


def bring_loopback_up() -> None:
    """Do what `ip link set lo up` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(some, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(some, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def to_socket(path: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    found.connect(path)
    return found


def serve(listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
    """Pass on everything that arrives, until the listener is closed."""
    with suppress(OSError):
        while True:
            client = listener.accept()[0]
            threading.Thread(target=pass_on, args=(client, connect), daemon=True).start()


def pass_on(client: socket.socket, connect: Callable[[], socket.socket]) -> None:
    with client, suppress(OSError), connect() as server:
        there = threading.Thread(target=relay._pass_on, args=(client, server), daemon=True)
        there.start()
        relay._pass_on(server, client)
        there.join()


@contextmanager
def engine_apart(folder: Path) -> Iterator[tuple[ContainerEngine, int]]:
    """Start an engine in a network of its own; gives it and its process id."""
    data, run = folder / "data", folder / "run"
    for each in (data, run):
        each.mkdir()
    # In memory, because an image's thousands of files take longer to remove from a disk than everything else here.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", str(data)], check=True)
    command = [*docker_daemon.daemon_command(data, run, driver=None), f"--host-gateway-ip={GATEWAY}"]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "--", *inside("engine"), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
        )
    host = f"unix://{run / 'docker.sock'}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while (found := docker_daemon.ask(host, ours=False)) is None:
            assert process.poll() is None, (folder / "dockerd.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield found, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)
        # With what is mounted in it: our own, and one that the engine leaves.
        leftovers.remove(folder)


@contextmanager
def gateway(pid: int, port: int, folder: Path) -> Iterator[None]:
    """Let the network of this process reach what listens on 127.0.0.1:<port> of ours, under the gateway's address."""
    path = folder / f"{port}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        connect = lambda: socket.create_connection((relay.LOOPBACK, port))  # noqa: E731
        threading.Thread(target=serve, args=(listener, connect), daemon=True).start()
        process = subprocess.Popen(
            ["nsenter", f"--net=/proc/{pid}/ns/net", *inside("gateway"), str(port), str(path)],
            stdout=subprocess.PIPE,
            env=environment(),
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()
            process.wait()


def inside(what: str) -> list[str]:
    return [sys.executable, "-m", "local.tests.e2e.reach.machine", what]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(paths.REPOSITORY)}


if __name__ == "__main__":
    main(sys.argv[1:])
