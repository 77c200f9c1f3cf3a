"""The container engine: one that runs, else one of our own (Debian or Ubuntu, as root), stopped at the end.

An engine of our own has its own socket and its images in the cache folder, and is shared by all runs of this user: each
holds a lease (a file lock, which the kernel takes back when a process dies), and whoever ends last stops it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from local import docker_daemon, paths
from local.docker_daemon import ContainerEngine, Places, ask
from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEFAULT_SOCKET = "/var/run/docker.sock"


@contextmanager
def container_engine(say: Callable[[str], None], environ: Mapping[str, str] | None = None) -> Iterator[ContainerEngine]:
    """Find or start an engine; at the end, stop it if it was started here and nobody else uses it.

    Raises:
        LocalError: there is none, and none can be started here; the text says what to start.

    """
    environ = os.environ if environ is None else environ
    found = running(environ)
    if found is not None:
        yield found
        return
    places = docker_daemon.places(environ)
    places.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (places.run / "lease").open("a") as lease:
        with paths.locked(places.run / "lock"):
            engine = ask(places.host, ours=True) or _start(places, say)
            fcntl.flock(lease, fcntl.LOCK_SH)
        try:
            yield engine
        finally:
            with paths.locked(places.run / "lock"), suppress(BlockingIOError):
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not (places.run / "kept").exists():
                    docker_daemon.stop(places)


def keep(environ: Mapping[str, str] | None = None) -> None:
    """Let an engine of our own run on when the last run ends, for a stack that is kept to play with."""
    places = docker_daemon.places(os.environ if environ is None else environ)
    if places.run.exists():
        (places.run / "kept").touch()


def release(environ: Mapping[str, str] | None = None) -> None:
    """Undo `keep`, and stop an engine of our own that nobody uses."""
    places = docker_daemon.places(os.environ if environ is None else environ)
    if not places.run.exists():
        return
    (places.run / "kept").unlink(missing_ok=True)
    with paths.locked(places.run / "lock"), (places.run / "lease").open("a") as lease, suppress(BlockingIOError):
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        docker_daemon.stop(places)


def running(environ: Mapping[str, str]) -> ContainerEngine | None:
    """Find an engine that somebody else runs: the one DOCKER_HOST names, else the one at the usual socket.

    Raises:
        LocalError: DOCKER_HOST names one that does not answer.

    """
    named = environ.get("DOCKER_HOST")
    if not named:
        return ask(f"unix://{DEFAULT_SOCKET}", ours=False) if Path(DEFAULT_SOCKET).exists() else None
    engine = ask(named, ours=False)
    if engine is None:
        raise LocalError(
            f"DOCKER_HOST is {named!r}, but no container engine answers there. Start it, or unset DOCKER_HOST to use "
            f"the one at {DEFAULT_SOCKET} or one that is started for the run."
        )
    return engine


def advice(*, user_id: int, has_apt: bool, has_dockerd: bool) -> str:
    """Say what a person can do where no engine can be started; empty where one can."""
    if user_id == 0 and (has_dockerd or has_apt):
        return ""
    start = "start it (systemctl start docker, or Docker Desktop)" if has_dockerd else "install and start Docker"
    return (
        f"No container engine answers at {DEFAULT_SOCKET} and DOCKER_HOST is not set, so no task can run. "
        f"Please {start}; or run this as root on Debian or Ubuntu (user id is {user_id}): there an engine is started "
        "for the run."
    )


def _start(places: Places, say: Callable[[str], None]) -> ContainerEngine:
    text = advice(
        user_id=os.geteuid(),
        has_apt=shutil.which("apt-get") is not None,
        has_dockerd=shutil.which("dockerd") is not None,
    )
    if text:
        raise LocalError(text)
    return docker_daemon.start(places, say)
