"""How containers, and the engine that pulls their images, reach the emulator on 127.0.0.1 of this computer.

Tasks' containers have the network of the computer that their engine runs on. For an engine on Linux that is this
computer: 127.0.0.1 is the emulator. Docker Desktop and its like run the engine in a virtual machine with a 127.0.0.1
of its own, where this computer has a name. There, a relay in one more container listens on the emulator's port and
passes everything on to that name. So the emulator has the same address everywhere, an address that SDKs accept for a
task's credentials and engines for a registry without TLS, and it never listens where others could reach it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from local import docker_socket, relay
from local.errors import LocalError
from local.process import run, succeeds

if TYPE_CHECKING:
    from local.docker_daemon import ContainerEngine

GATEWAY = "overtime-gateway"
"""Our name for the address that the engine calls `host-gateway`."""
NAMES = (relay.LOOPBACK, "host.docker.internal", GATEWAY)
"""Where containers look for the emulator, in this order. Docker Desktop and others serve the second name."""
NO_ANSWER = ("dial tcp", "EOF", "deadline exceeded", "timeout")
SECONDS = 60
READY_SECONDS = 15


def shares_our_network(engine: ContainerEngine) -> bool:
    """Return whether containers certainly have this computer's network, so that nothing has to be tried."""
    # In WSL2, a process of this computer listens at Docker Desktop's socket, and the engine is elsewhere all the same.
    return engine.ours or (not engine.desktop and docker_socket.shares_our_network(engine.host))


def connect(docker_host: str, image: str, port: int) -> str:
    """Make the emulator on `port` reachable from containers; return the relay's name, empty if none is needed.

    Args:
        docker_host: the engine, as DOCKER_HOST names it.
        image: an image with Python.
        port: where the emulator listens on 127.0.0.1.

    Raises:
        LocalError: containers, or the engine itself, cannot reach this computer.

    """
    container = _let_containers_in(docker_host, image, port)
    try:
        run(pulling(docker_host, port), because="", timeout_seconds=SECONDS)
    except LocalError as error:
        # There is no such image, so it always fails.
        if not got_an_answer(str(error)):
            disconnect(docker_host, container)
            raise LocalError(engine_unreachable(docker_host, port)) from error
    return container


def _let_containers_in(docker_host: str, image: str, port: int) -> str:
    because = unreachable(docker_host, port)
    look, relaying = f"docker run {image} (looking for the emulator)", f"docker run {image} (as a relay)"
    name = run(finding(docker_host, image, port), because=because, timeout_seconds=SECONDS, shown=look).strip()
    if name == relay.LOOPBACK:
        return ""
    container = f"overtime-relay-{port}"
    command = passing_on(docker_host, image, port, name, container)
    run(command, because=because, timeout_seconds=SECONDS, shown=relaying)
    deadline = time.monotonic() + READY_SECONDS
    while not succeeds(["docker", "--host", docker_host, "exec", container, *asking(port)], timeout_seconds=SECONDS):
        if time.monotonic() > deadline:
            disconnect(docker_host, container)
            raise LocalError(f"The relay to {name} does not pass anything on. {because}")
    return container


def disconnect(docker_host: str, container: str) -> None:
    """Remove a relay, if there is one; one that has ended is gone already."""
    if container:
        succeeds(["docker", "--host", docker_host, "rm", "--force", container])


def finding(docker_host: str, image: str, port: int) -> list[str]:
    """Return the command that looks for the emulator from inside a container."""
    return [*_container(docker_host, image, "--rm"), "find", str(port), *NAMES]


def passing_on(docker_host: str, image: str, port: int, name: str, container: str) -> list[str]:
    """Return the command that starts a relay to the computer of this name."""
    options = ("--rm", "--detach", "--init", f"--name={container}")
    return [*_container(docker_host, image, *options), "relay", str(port), name]


def asking(port: int) -> list[str]:
    """Return the command that, inside a relay's container, asks whether it works."""
    return ["python3", "-c", _program(), "find", str(port), relay.LOOPBACK]


def pulling(docker_host: str, port: int) -> list[str]:
    """Return the command that lets the engine ask the emulator's registry for an image that is not there."""
    return ["docker", "--host", docker_host, "pull", f"{relay.LOOPBACK}:{port}/overtime/no-such-image:none"]


def got_an_answer(said: str) -> bool:
    """Return whether a pull failed by what the registry said, not on the way to it."""
    return not any(sign in said for sign in NO_ANSWER)


def engine_unreachable(docker_host: str, port: int) -> str:
    """Say what it means that the engine does not reach the emulator's registry, though containers do."""
    return (
        f"Containers of the engine at {docker_host} reach the emulator on port {port} of this computer, but the engine "
        "itself does not, so it could neither push nor pull the runner's image. If it is Docker Desktop with host "
        "networking, switch that off (Settings, Resources, Network)."
    )


def unreachable(docker_host: str, port: int) -> str:
    """Say what it means that no container reaches the emulator, and what to do."""
    return (
        f"Containers of the engine at {docker_host} do not reach the emulator on port {port} of this computer, by none "
        f"of {', '.join(NAMES)}, so no task could run. Use an engine on this computer: Docker on Linux (in WSL2, too) "
        "or Docker Desktop. One on another computer, a rootless one, or the host's seen from inside a container does "
        "not do. Unset DOCKER_HOST, or run make where the engine runs."
    )


def _container(docker_host: str, image: str, *options: str) -> list[str]:
    start = ["docker", "--host", docker_host, "run", *options, "--network=host", f"--add-host={GATEWAY}:host-gateway"]
    return [*start, "--entrypoint=python3", image, "-c", _program()]


def _program() -> str:
    return Path(relay.__file__).read_text(encoding="utf-8")
