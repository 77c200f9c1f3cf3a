"""The way from containers to the emulator where the engine has another network, as Docker Desktop's has."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local import reach
from local.docker_socket import shares_our_network
from local.emulator import Emulator, EmulatorSettings
from local.emulator.testkit import Aws
from local.errors import LocalError
from local.tests.e2e.reach.machine import engine_apart, gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine

pytestmark = pytest.mark.e2e


class Apart:
    """An engine in a network of its own, whose containers find this computer only if somebody opens the way."""

    def __init__(self, engine: ContainerEngine, pid: int, folder: Path) -> None:
        self.engine, self._pid, self._folder = engine, pid, folder
        self._open = ExitStack()
        self._ports: set[int] = set()

    def open(self, port: int) -> None:
        """Let the engine's network reach this port, if it does not yet."""
        if port in self._ports:
            return
        self._ports.add(port)
        self._open.enter_context(gateway(self._pid, port, self._folder))

    def close(self) -> None:
        """Close it for all ports."""
        self._open.close()


@pytest.fixture(scope="module")
def apart(docker: ContainerEngine, base: BaseImage) -> Iterator[Apart]:
    """Start such an engine, with the base image."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("dockerd", "unshare", "nsenter"))):
        pytest.skip("only root can start an engine in a network of its own (dockerd, unshare, nsenter)")
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this root may not make a network of its own (unshare --net)")
    # Short, because a socket's path must be.
    folder = Path(tempfile.mkdtemp(prefix="overtime-apart-"))
    with engine_apart(folder) as (engine, pid):
        image = folder / "base.tar"
        for host, command in ((docker.host, "save --output"), (engine.host, "load --quiet --input")):
            names = (base.reference,) if host == docker.host else ()
            arguments = ["docker", "--host", host, *command.split(), str(image), *names]
            subprocess.run(arguments, check=True, capture_output=True)
        found = Apart(engine, pid, folder)
        yield found
        found.close()


@pytest.fixture
def opened(apart: Apart, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Open the way to an emulator as soon as its port is known, as Docker Desktop does for every port."""
    connect = reach.connect

    def open_and_connect(docker_host: str, image: str, port: int) -> str:
        apart.open(port)
        return connect(docker_host, image, port)

    return lambda: monkeypatch.setattr(reach, "connect", open_and_connect)


def settings(apart: Apart, base: BaseImage, folder: Path) -> EmulatorSettings:
    return EmulatorSettings(
        state_folder=folder, docker_host=apart.engine.host, reach_with=base.reference, enforce_iam=True
    )


def containers(apart: Apart) -> str:
    command = ["docker", "--host", apart.engine.host, "ps", "--all", "--quiet"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_task_and_the_engine_reach_the_emulator(
    apart: Apart, base: BaseImage, opened: Callable[[], None], tmp_path: Path
) -> None:
    """The image is pushed and pulled, the task's SDK gets its role's credentials and calls AWS, over a restart, too."""
    assert not shares_our_network(apart.engine.host)
    opened()
    docker = ["docker", "--host", apart.engine.host]
    with Emulator(settings(apart, base, tmp_path)) as emulator:
        # Now the emulator answers on 127.0.0.1, as where the engine has this computer's network: nothing is to be done.
        assert reach.connect(apart.engine.host, base.reference, emulator.port) == ""
        aws = Aws(emulator)
        uri = aws.ecr.create_repository(repositoryName="runner")["repository"]["repositoryUri"]
        for command in (["tag", base.reference, f"{uri}:1"], ["push", "--quiet", f"{uri}:1"], ["rmi", f"{uri}:1"]):
            subprocess.run([*docker, *command], check=True, capture_output=True)
        [image] = aws.ecr.describe_images(repositoryName="runner")["imageDetails"]
        aws.ecs.create_cluster(clusterName="c")
        aws.role("task", "sqs:CreateQueue")
        container = {
            "name": "main",
            "image": f"{uri}@{image['imageDigest']}",
            "entryPoint": ["python3", "-c"],
            "command": ["import boto3; boto3.client('sqs').create_queue(QueueName='from-the-task')"],
        }
        aws.ecs.register_task_definition(
            family="t", containerDefinitions=[container], taskRoleArn=aws.role_arn("task"), networkMode="awsvpc"
        )
        emulator.restart()
        task = aws.ecs.run_task(cluster="c", taskDefinition="t")["tasks"][0]["taskArn"]
        stopped = aws.stopped(task)
        assert stopped["containers"][0].get("exitCode") == 0, stopped
        assert [url.rpartition("/")[2] for url in aws.sqs.list_queues()["QueueUrls"]] == ["from-the-task"]
    assert not containers(apart)


def test_where_nobody_opens_the_way_the_reason_is_said(apart: Apart, base: BaseImage, tmp_path: Path) -> None:
    """Nothing is left running."""
    emulator = Emulator(settings(apart, base, tmp_path))
    with pytest.raises(LocalError, match=r"(?s)do not reach the emulator on port \d+.*127\.0\.0\.1: .*refused"):
        emulator.start()
    with pytest.raises(LocalError, match="not running"):
        assert emulator.pid
    assert not containers(apart)
