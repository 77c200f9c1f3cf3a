"""A `dockerd` of our own: where it has its things, how it is installed, started and stopped."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local import apt, paths
from local.errors import LocalError
from local.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

INFO_SECONDS = 20
START_SECONDS = 60
STOP_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class ContainerEngine:
    """An engine that answers."""

    host: str
    """As DOCKER_HOST wants it."""
    storage_driver: str
    ours: bool
    """Started here, so that builds must name `--network=host`: it makes no bridge and touches no firewall."""
    rootless: bool = False
    """Run by a plain user: its containers may have another network than this computer."""
    desktop: bool = False
    """Docker Desktop's, which runs in a virtual machine: its containers have that machine's network."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the daemon has its things."""

    data: Path
    run: Path

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.run / "docker.sock"

    @property
    def host(self) -> str:
        """The same as DOCKER_HOST wants it."""
        return f"unix://{self.socket}"

    @property
    def pid_file(self) -> Path:
        """There while it runs."""
        return self.run / "docker.pid"

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.data.with_name("docker.log")


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


def places(environ: Mapping[str, str]) -> Places:
    """Name the places of this user's daemon."""
    data = paths.make_cache_folder("docker", environ=environ) / "data"
    name = hashlib.sha256(str(data).encode()).hexdigest()[:12]
    return Places(data=data, run=paths.run_folder(environ) / name)


def ask(host: str, *, ours: bool) -> ContainerEngine | None:
    """Ask an engine for itself; None when it does not answer."""
    command = ["docker", "--host", host, "info", "--format", "{{json .}}"]
    try:
        info = json.loads(run(command, because="", timeout_seconds=INFO_SECONDS))
    except LocalError:
        return None
    # The client answers with its own half when the engine is not there.
    driver = info.get("Driver")
    # The name is the Docker Engine API's (SystemInfo.SecurityOptions).
    rootless = "name=rootless" in (info.get("SecurityOptions") or [])
    desktop = info.get("OperatingSystem") == "Docker Desktop"
    if not driver:
        return None
    return ContainerEngine(host=host, storage_driver=driver, ours=ours, rootless=rootless, desktop=desktop)


def can_start() -> bool:
    """Say whether this user may start one here, after it was installed if need be."""
    return os.geteuid() == 0 and (shutil.which("dockerd") is not None or apt.available())


def start(places: Places, say: Callable[[str], None]) -> ContainerEngine:
    """Start it, with the slower storage driver where the usual one is not allowed.

    Raises:
        LocalError: it cannot be installed or does not start.

    """
    _install(say)
    remembered = places.data.with_name("driver")
    driver = remembered.read_text().strip() if remembered.exists() else None
    say("containers: starting an engine for the run")
    _forget_a_dead_one(places)
    for choice in dict.fromkeys((driver, "vfs")):
        _launch(places, driver=choice)
        engine = _wait(places)
        if engine is not None and _works(engine.host):
            remembered.write_text(engine.storage_driver)
            return engine
        stop(places)
        if choice != "vfs":
            say("containers: overlay file systems are not allowed here; using the slower storage driver vfs")
    tail = "\n".join(places.log.read_text(errors="replace").splitlines()[-15:])
    raise LocalError(f"The container engine does not start. Its log, {str(places.log)!r}, ends with:\n{tail}")


def _install(say: Callable[[str], None]) -> None:
    because = "The container engine could not be installed. Repair apt-get, or install and start Docker yourself."
    # Newer Debian has the client in a package of its own.
    for program, package in (("dockerd", "docker.io"), ("docker", "docker-cli")):
        if shutil.which(program) is None:
            say(f"containers: installing {package}")
            apt.install([package], say, because=because)


def _launch(places: Places, *, driver: str | None) -> None:
    places.data.mkdir(parents=True, exist_ok=True)
    with places.log.open("ab") as log:
        subprocess.Popen(
            daemon_command(places.data, places.run, driver=driver),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait(places: Places) -> ContainerEngine | None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if places.socket.exists() and (engine := ask(places.host, ours=True)):
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
        [*docker, "import", "-", "overtime-check"],
        input=packed.getvalue(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    if made.returncode:
        return False
    created = subprocess.run(
        [*docker, "create", "overtime-check", "/empty"], capture_output=True, check=False, text=True, timeout=60
    )
    for command in (["rm", "--force", created.stdout.strip()], ["rmi", "overtime-check"]):
        subprocess.run([*docker, *command], capture_output=True, check=False, timeout=60)
    return created.returncode == 0


def stop(places: Places) -> None:
    """Stop it and wait for its end; nothing happens when it does not run."""
    pid = _pid(places)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while places.pid_file.exists() and time.monotonic() < deadline:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.1)


def _pid(places: Places) -> int | None:
    """Read the daemon's process id; None where it does not run, or its number has gone to another process since."""
    try:
        pid = int(places.pid_file.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if f"--pidfile={places.pid_file}".encode() in words else None


def _forget_a_dead_one(places: Places) -> None:
    """Remove the file of a daemon that was killed: the next one would take any process of that number for it."""
    if _pid(places) is None:
        places.pid_file.unlink(missing_ok=True)
