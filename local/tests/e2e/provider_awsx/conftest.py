"""The real engine with our plugins on its PATH, an emulator and a container engine."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest
from pulumi import automation

from local import provider
from local.emulator import Emulator, EmulatorSettings
from local.stack import with_containers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine
    from local.engine import Engine


@dataclass(frozen=True)
class Place:
    """What a stack is deployed with."""

    engine: Engine
    docker: ContainerEngine
    emulator: Emulator
    base_image: str
    plugins: Path
    ecr: ECRClient
    ec2: EC2Client

    @property
    def environment(self) -> dict[str, str]:
        """What the engine and its plugins see."""
        return {
            **self.emulator.environment,
            "DOCKER_HOST": self.docker.host,
            "PATH": os.pathsep.join((str(self.plugins), os.environ["PATH"])),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }


@pytest.fixture(scope="session")
def place(
    pulumi_engine: Engine, docker: ContainerEngine, base: BaseImage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Give all that a stack needs."""
    plugins = provider.install(tmp_path_factory.mktemp("plugins"))
    settings = with_containers(EmulatorSettings(state_folder=tmp_path_factory.mktemp("emulator")), docker, base)
    with Emulator(settings) as emulator:
        session = boto3.Session("test", "test", region_name=settings.region)
        yield Place(
            engine=pulumi_engine,
            docker=docker,
            emulator=emulator,
            base_image=base.reference,
            plugins=plugins,
            ecr=session.client("ecr", endpoint_url=emulator.endpoint),
            ec2=session.client("ec2", endpoint_url=emulator.endpoint),
        )


@pytest.fixture
def new_stack(place: Place, tmp_path: Path) -> Iterator[Callable[[Callable[[], None]], automation.Stack]]:
    """Make a stack of an inline program; it is destroyed at the end if the test did not."""
    made: list[automation.Stack] = []
    work, state = tmp_path / "work", tmp_path / "state"
    work.mkdir()
    state.mkdir()

    def make(program: Callable[[], None]) -> automation.Stack:
        settings = automation.ProjectSettings(
            name="awsx-test", runtime="python", backend=automation.ProjectBackend(f"file://{state}")
        )
        options = automation.LocalWorkspaceOptions(
            work_dir=str(work),
            pulumi_command=automation.PulumiCommand(str(place.engine.folder.parent)),
            env_vars=place.environment,
            project_settings=settings,
        )
        stack = automation.create_stack("test", project_name="awsx-test", program=program, opts=options)
        stack.set_config("aws:region", automation.ConfigValue(place.emulator.settings.region))
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.destroy()
    shutil.rmtree(work)
