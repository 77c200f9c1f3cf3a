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

from local import docker_daemon, docker_socket, paths
from local.docker_daemon import ContainerEngine, ask
from local.errors import LocalError
from local.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from local.docker_socket import Answer

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
    paths.make_run_folder(places.run)
    with (places.run / "lease").open("a") as lease:
        with paths.locked(
            places.run / "lock", lambda: say("containers: another run starts or stops the engine; waiting")
        ):
            engine = ask(places.host, ours=True) or docker_daemon.start(places, say)
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
    """Find an engine that somebody else runs: the first of `candidates` that answers.

    Raises:
        LocalError: DOCKER_HOST names one that does not answer, or none answers and this user can start none.

    """
    asked = ask_everywhere(environ)
    for each in asked:
        if not each.fault and (engine := ask(each.host, ours=False)):
            return engine
    named = environ.get("DOCKER_HOST")
    if named or not docker_daemon.can_start():
        told = "".join(f"\n  {each.host}: {each.fault or '`docker info` fails there'}" for each in asked)
        remedy = "Start that one, or unset DOCKER_HOST" if named else "Start Docker, or run this as root on Debian"
        raise LocalError(f"No container engine answers, so no task can run. {remedy}. Asked:{told}")
    return None


def ask_everywhere(environ: Mapping[str, str]) -> list[Answer]:
    """Knock at each place where an engine may be, and stop at the first that answers."""
    answers = []
    for host in candidates(environ):
        answers.append(docker_socket.knock(host))
        if not answers[-1].fault:
            break
    return answers


def candidates(environ: Mapping[str, str]) -> list[str]:
    """List where an engine may be: DOCKER_HOST alone, else docker's context, the usual socket, a rootless one's."""
    if named := environ.get("DOCKER_HOST"):
        return [named]
    hosts = [_of_context(environ), f"unix://{DEFAULT_SOCKET}"]
    # Root has better: a rootless engine's containers do not have this computer's network.
    if os.geteuid() != 0 and Path(environ.get("XDG_RUNTIME_DIR", "")).is_absolute():
        hosts.append(f"unix://{environ['XDG_RUNTIME_DIR']}/docker.sock")
    return list(dict.fromkeys(host for host in hosts if host))


def _of_context(environ: Mapping[str, str]) -> str:
    """Read what docker's own configuration names (Docker Desktop and others set it); empty where it does not say."""
    if shutil.which("docker", path=environ.get("PATH")) is None:
        return ""
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        return run(command, because="", env=dict(environ)).strip()
    except LocalError:
        return ""
