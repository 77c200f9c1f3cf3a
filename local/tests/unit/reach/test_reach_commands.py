"""Which way from containers to the emulator is looked for, and when nothing has to be looked for."""

from __future__ import annotations

import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local import reach, relay
from local.base_images import BaseImage
from local.docker_daemon import ContainerEngine
from local.emulator import EmulatorSettings
from local.stack import with_containers

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = BaseImage(reference="base:1", runtime="python3.11")
LINUX = sys.platform == "linux"


def engine(host: str, **more: bool) -> ContainerEngine:
    return ContainerEngine(host=host, storage_driver="overlay2", **{"ours": False, **more})


@pytest.fixture(scope="module")
def here() -> Iterator[str]:
    """Let this process listen where an engine might; its path is short, as a socket's must be."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/docker.sock")
        listener.listen()
        yield f"unix://{folder}/docker.sock"


@pytest.mark.parametrize(
    ("kind", "shares"),
    [
        ({}, LINUX),
        ({"desktop": True}, False),
        ({"rootless": True}, LINUX),
    ],
    ids=["an engine of this computer", "Docker Desktop's in WSL2, behind a process of this computer", "rootless"],
)
def test_whose_containers_have_this_computers_network(here: str, kind: dict[str, bool], shares: bool) -> None:  # noqa: FBT001 - a table
    """Only Linux tells whose process listens at a socket, and whose network that has."""
    assert reach.shares_our_network(engine(here, **kind)) is shares
    assert with_containers(EmulatorSettings(state_folder=Path()), engine(here, **kind), BASE) == EmulatorSettings(
        state_folder=Path(), docker_host=here, reach_with="" if shares else "base:1"
    )


@pytest.mark.parametrize("host", ["unix:///nobody/listens.sock", "tcp://127.0.0.1:2375", "ssh://elsewhere"])
def test_nothing_is_known_of_others(host: str) -> None:
    """Not even of one that names this computer: Docker Desktop may listen there."""
    assert not reach.shares_our_network(engine(host))
    assert reach.shares_our_network(engine(host, ours=True))


def test_a_container_looks_on_loopback_first_then_for_the_computer_of_a_virtual_machine() -> None:
    """Inside the engine's own network, by Docker Desktop's name, and by what the engine says is its host."""
    command = reach.finding("unix:///d", "base:1", 4566)
    assert command[:5] == ["docker", "--host", "unix:///d", "run", "--rm"]
    assert {"--network=host", "--add-host=overtime-gateway:host-gateway"} < set(command)
    assert command[-5:] == ["find", "4566", "127.0.0.1", "host.docker.internal", "overtime-gateway"]


def test_a_relay_listens_where_the_emulator_does() -> None:
    """In the engine's own network, so that tasks and the engine find it on 127.0.0.1; it is gone when it ends."""
    command = reach.passing_on("unix:///d", "base:1", 4566, "host.docker.internal", "relay")
    assert {"--network=host", "--detach", "--rm", "--name=relay"} < set(command)
    assert command[-3:] == ["relay", "4566", "host.docker.internal"]


def test_the_container_runs_the_relay_of_these_sources() -> None:
    """The image needs Python and nothing of ours."""
    command = reach.finding("unix:///d", "base:1", 4566)
    assert command[command.index("base:1") + 2] == Path(relay.__file__).read_text(encoding="utf-8")
    assert "--entrypoint=python3" in command
    assert "local" not in {line.split()[1].partition(".")[0] for line in imports()}


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("repository 127.0.0.1:1/overtime/no-such-image not found: name unknown", True),
        ("manifest for 127.0.0.1:1/overtime/no-such-image:none not found", True),
        ('Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', False),
        ('Head "http://127.0.0.1:1/v2/overtime/no-such-image/manifests/none": EOF', False),
        ("net/http: request canceled (Client.Timeout exceeded): context deadline exceeded", False),
    ],
)
def test_a_registry_that_says_no_was_reached(said: str, answered: bool) -> None:  # noqa: FBT001 - a table
    """The engine asks for an image that is not there, and fails either way."""
    assert (
        reach.got_an_answer(f"'docker pull' ended with status 1. \n    Error response from daemon: {said}") is answered
    )


def imports() -> list[str]:
    text = Path(relay.__file__).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith(("import ", "from "))]
