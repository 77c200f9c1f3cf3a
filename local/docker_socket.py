"""Who listens where a container engine should: asked without the `docker` command, in a bounded time."""

from __future__ import annotations

import errno
import grp
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 3
TEXTS = {
    errno.ENOENT: "there is no such socket",
    errno.ECONNREFUSED: "nobody listens there (any more)",
    errno.EACCES: "you may not use it",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of asking at one place."""

    host: str
    """As DOCKER_HOST wants it."""
    fault: str = ""
    """Why there is no engine; empty where one answers, or where only the `docker` command can tell."""
    group: str = ""
    """The group that may use the socket, where this user may not."""


def knock(host: str, *, seconds: float = SECONDS) -> Answer:
    """Ask at `host`, as DOCKER_HOST would name it, whether an engine is there."""
    parts = urlsplit(host)
    try:
        if parts.scheme == "unix":
            return Answer(host=host, fault=_ping(parts.path, seconds))
        if parts.scheme in {"tcp", "http", "https"}:
            # What is spoken there (TLS, with whose certificates) is the docker command's business.
            socket.create_connection((parts.hostname or "", parts.port or 2375), seconds).close()
        elif parts.scheme != "ssh":
            return Answer(
                host=host, fault="this is not an engine's address, which begins with unix://, tcp:// or ssh://"
            )
    except TimeoutError:
        return Answer(host=host, fault=f"no answer within {seconds:g} s")
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        fault = TEXTS.get(number or 0, getattr(error, "strerror", None) or str(error))
        return Answer(host=host, fault=fault, group=_group(parts.path) if number == errno.EACCES else "")
    return Answer(host=host)


def shares_our_network(host: str) -> bool:
    """Say whether the engine's process certainly has this process's network (Linux, an engine that we may look at)."""
    parts = urlsplit(host)
    if parts.scheme != "unix" or not hasattr(socket, "SO_PEERCRED"):
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(parts.path)
        size = struct.calcsize("3i")
        pid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
        return Path(f"/proc/{pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
    return False


def _ping(path: str, seconds: float) -> str:
    """Ask the Docker Engine API's `/_ping` and say what is wrong."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(path)
        connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        status = connection.recv(64).partition(b"\r\n")[0]
    return "" if b" 200" in status else f"what listens there is not a container engine (it said {status[:40]!r})"


def _group(path: str) -> str:
    """Name the group that may use a socket, where its mode lets a group."""
    with suppress(OSError, KeyError):
        found = Path(path).stat()
        if found.st_mode & 0o020 and found.st_gid:
            return grp.getgrgid(found.st_gid).gr_name
    return ""
