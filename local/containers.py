"""The container engine: one that runs, else (Debian or Ubuntu, as root) one that is installed, started and stopped here.

An engine that was started here has its own socket and its images in the cache folder, and is shared by all runs of this
user: each holds a lease (a file lock, which the kernel takes back when a process dies), and whoever ends last stops it.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local import paths
from local.errors import LocalError
from local.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEFAULT_SOCKET = "/var/run/docker.sock"
RUN_FOLDER = Path("/run/overtime")
"""A socket's path may have 107 characters: too few for some cache folders."""
INFO_SECONDS = 20
START_SECONDS = 60
STOP_SECONDS = 60
APT_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class ContainerEngine:
    """An engine that answers."""

    host: str
    """As DOCKER_HOST wants it."""
    storage_driver: str
    ours: bool
    """Started here, so that builds must name `--network=host`: it makes no bridge and touches no firewall."""


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Where an engine of our own has its things."""

    data: Path
    run: Path

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid_file(self) -> Path:
        return self.run / "docker.pid"

    @property
    def log(self) -> Path:
        return self.data.with_name("docker.log")


@contextmanager
def container_engine(
    say: Callable[[str], None], environ: Mapping[str, str] | None = None
) -> Iterator[ContainerEngine]:
    """Find or start an engine; at the end, stop it if it was started here and nobody else uses it.

    Raises:
        LocalError: there is none, and none can be started here; the text says what to start.

    """
    environ = os.environ if environ is None else environ
    found = running(environ)
    if found is not None:
        yield found
        return
    places = _places(environ)
    places.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (places.run / "lease").open("a") as lease:
        with paths.locked(places.run / "lock"):
            engine = _answer(places.host, ours=True) or _start(places, say)
            fcntl.flock(lease, fcntl.LOCK_SH)
        try:
            yield engine
        finally:
            with paths.locked(places.run / "lock"), suppress(BlockingIOError):
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not (places.run / "kept").exists():
                    _stop(places)


def keep(environ: Mapping[str, str] | None = None) -> None:
    """Let an engine of our own run on when the last run ends, for a stack that is kept to play with."""
    places = _places(os.environ if environ is None else environ)
    if places.run.exists():
        (places.run / "kept").touch()


def release(environ: Mapping[str, str] | None = None) -> None:
    """Undo `keep`, and stop an engine of our own that nobody uses."""
    places = _places(os.environ if environ is None else environ)
    if not places.run.exists():
        return
    (places.run / "kept").unlink(missing_ok=True)
    with paths.locked(places.run / "lock"), (places.run / "lease").open("a") as lease, suppress(BlockingIOError):
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _stop(places)


def running(environ: Mapping[str, str]) -> ContainerEngine | None:
    """Find an engine that somebody else runs: the one DOCKER_HOST names, else the one at the usual socket.

    Raises:
        LocalError: DOCKER_HOST names one that does not answer.

    """
    named = environ.get("DOCKER_HOST")
    if not named:
        return _answer(f"unix://{DEFAULT_SOCKET}", ours=False) if Path(DEFAULT_SOCKET).exists() else None
    engine = _answer(named, ours=False)
    if engine is None:
        raise LocalError(
            f"DOCKER_HOST is {named!r}, but no container engine answers there. Start it, or unset DOCKER_HOST to use the "
            f"one at {DEFAULT_SOCKET} or one that is started for the run."
        )
    return engine


def advice(*, user_id: int, has_apt: bool, has_dockerd: bool) -> str:
    """Say what a person can do where no engine can be started; empty where one can."""
    if user_id == 0 and (has_dockerd or has_apt):
        return ""
    start = "start it (systemctl start docker, or Docker Desktop)" if has_dockerd else "install and start Docker"
    return (
        f"No container engine answers at {DEFAULT_SOCKET} and DOCKER_HOST is not set, so no task can run. Please {start}; "
        f"or run this as root on Debian or Ubuntu (user id is {user_id}), where it is set up for the run."
    )


def daemon_command(data: Path, run_folder: Path, *, driver: str | None) -> list[str]:
    """Say how an engine of our own is started: tasks use the host's network, so no bridge and no firewall rules."""
    return [
        "dockerd",
        f"--host=unix://{run_folder / 'docker.sock'}",
        f"--data-root={data}",
        f"--exec-root={run_folder / 'exec'}",
        f"--pidfile={run_folder / 'docker.pid'}",
        "--bridge=none",
        "--iptables=false",
        *([f"--storage-driver={driver}"] if driver else []),
    ]


def _places(environ: Mapping[str, str]) -> _Places:
    data = paths.make_cache_folder("docker", environ=environ) / "data"
    name = hashlib.sha256(str(data).encode()).hexdigest()[:12]
    return _Places(data=data, run=RUN_FOLDER / name)


def _answer(host: str, *, ours: bool) -> ContainerEngine | None:
    command = ["docker", "--host", host, "info", "--format", "{{json .}}"]
    try:
        info = json.loads(run(command, because="", timeout_seconds=INFO_SECONDS))
    except LocalError:
        return None
    # The client answers with its own half when the engine is not there.
    driver = info.get("Driver")
    return ContainerEngine(host=host, storage_driver=driver, ours=ours) if driver else None


def _start(places: _Places, say: Callable[[str], None]) -> ContainerEngine:
    text = advice(
        user_id=os.geteuid(),
        has_apt=shutil.which("apt-get") is not None,
        has_dockerd=shutil.which("dockerd") is not None,
    )
    if text:
        raise LocalError(text)
    _install(say)
    remembered = places.data.with_name("driver")
    driver = remembered.read_text().strip() if remembered.exists() else None
    say("containers: starting an engine for the run")
    for choice in dict.fromkeys((driver, "vfs")):
        _launch(places, driver=choice)
        engine = _wait(places)
        if engine is not None and _works(engine.host):
            remembered.write_text(engine.storage_driver)
            return engine
        _stop(places)
        if choice != "vfs":
            say("containers: overlay file systems are not allowed here; using the slower storage driver vfs")
    tail = "\n".join(places.log.read_text(errors="replace").splitlines()[-15:])
    raise LocalError(f"The container engine does not start. Its log, {str(places.log)!r}, ends with:\n{tail}")


def _install(say: Callable[[str], None]) -> None:
    wanted = {"dockerd": "docker.io", "docker": "docker.io", "debootstrap": "debootstrap"}
    missing = sorted({package for program, package in wanted.items() if shutil.which(program) is None})
    if not missing:
        return
    say(f"containers: installing {', '.join(missing)}")
    because = "The container engine could not be installed. Repair apt-get, or install and start Docker yourself."
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], because=because, timeout_seconds=APT_SECONDS, env=environment)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    run([*install, *missing], because=because, timeout_seconds=APT_SECONDS, env=environment)
    if shutil.which("docker") is None:
        # Newer Debian has the client in a package of its own.
        run([*install, "docker-cli"], because=because, timeout_seconds=APT_SECONDS, env=environment)


def _launch(places: _Places, *, driver: str | None) -> None:
    places.data.mkdir(parents=True, exist_ok=True)
    with places.log.open("ab") as log:
        subprocess.Popen(
            daemon_command(places.data, places.run, driver=driver),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait(places: _Places) -> ContainerEngine | None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if places.socket.exists() and (engine := _answer(places.host, ours=True)):
            return engine
        time.sleep(0.2)
    return None


def _works(host: str) -> bool:
    """Make an image and a container of nothing: a storage driver that is not allowed shows itself here."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    docker = ["docker", "--host", host]
    made = subprocess.run(
        [*docker, "import", "-", "overtime-check"], input=packed.getvalue(), capture_output=True, check=False, timeout=60
    )
    if made.returncode:
        return False
    created = subprocess.run(
        [*docker, "create", "overtime-check", "/empty"], capture_output=True, check=False, text=True, timeout=60
    )
    for command in (["rm", "--force", created.stdout.strip()], ["rmi", "overtime-check"]):
        subprocess.run([*docker, *command], capture_output=True, check=False, timeout=60)
    return created.returncode == 0


def _stop(places: _Places) -> None:
    try:
        pid = int(places.pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return
    deadline = time.monotonic() + STOP_SECONDS
    while places.pid_file.exists() and time.monotonic() < deadline:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.1)
