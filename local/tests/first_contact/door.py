"""Another door to a container engine: a socket with an owner and a mode of its own, which passes everything on."""

from __future__ import annotations

import os
import select
import socket
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 65_536


@contextmanager
def door(path: Path, engine: Path | None, *, user: int, group: int, mode: int) -> Iterator[str]:
    """Listen at `path` and pass on to `engine`, or keep silent where there is none; give it as DOCKER_HOST wants it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        os.chown(path, user, group)
        path.chmod(mode)
        listener.listen()
        threading.Thread(target=_serve, args=(listener, engine), daemon=True).start()
        try:
            yield f"unix://{path}"
        finally:
            # Closing alone does not wake a thread that is in accept().
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            path.unlink()


def _serve(listener: socket.socket, engine: Path | None) -> None:
    kept = []
    while True:
        try:
            client = listener.accept()[0]
        except OSError:
            return
        if engine is None:
            kept.append(client)
            continue
        inner = socket.socket(socket.AF_UNIX)
        inner.connect(str(engine))
        for source, target in ((client, inner), (inner, client)):
            threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(CHUNK):
            target.sendall(piece)
    # The other direction may still have something to say.
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def answering() -> Iterator[Path]:
    """Let something listen that says yes to every request, as an engine says to a ping."""
    with tempfile.TemporaryDirectory(prefix="overtime-yes-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "yes.sock"
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=_say_yes, args=(listener,), daemon=True).start()
        try:
            yield path
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _say_yes(listener: socket.socket) -> None:
    while True:
        try:
            client = listener.accept()[0]
        except OSError:
            return
        with client, suppress(OSError):
            client.recv(CHUNK)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK")


@contextmanager
def silent_server() -> Iterator[tuple[str, Callable[[], bool]]]:
    """Take connections and say nothing, as a firewall's black hole does; give the address, and whether any came."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", lambda: bool(select.select([listener], [], [], 0)[0])
