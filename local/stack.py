"""The program's stack on this computer: engine, plugins, containers and emulator joined, the program deployed there.

The program itself cannot tell: it gets settings that anyone could write, and an environment in which AWS answers on
127.0.0.1.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import boto3

from local import base_images, engine, paths, provider, reach
from local.containers import container_engine
from local.emulator import Emulator, EmulatorSettings
from overtime import automation
from overtime.automation import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine
    from local.engine import Engine

    Say = Callable[[str], None]

PASSPHRASE = "local"  # noqa: S105 - the state lies beside it, on this computer, and describes an emulator
GENUINE_PLUGINS = "OVERTIME_GENUINE_PLUGINS"
"""Set to 1, the engine uses the genuine plugins (installed, or downloaded by it) in place of the light ones."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a deployment needs of this computer, ready to be used."""

    folder: Path
    engine: Engine
    docker: ContainerEngine
    python: BaseImage
    """Has the Python that runner images take along."""
    base: BaseImage
    """The base image of functions."""
    emulator: Emulator

    @property
    def runtime(self) -> str:
        """The runtime that functions must name here: the base image's."""
        return self.base.runtime

    @property
    def session(self) -> Session:
        """Clients of the emulator, as the account's root user."""
        return Session(self.emulator)

    def deployment(
        self, settings: Mapping[str, object], *, root: Path = paths.REPOSITORY, stack: str = "local"
    ) -> Deployment:
        """Give the program with these settings, to be deployed here."""
        return Deployment(
            settings, stack=stack, root=root, region=self.emulator.settings.region, engine=self.configured_engine()
        )

    def configured_engine(self) -> automation.Engine:
        """Return how to run Pulumi here, for a deployment in whatever process."""
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        environment = {
            **self.emulator.environment,
            "DOCKER_HOST": self.docker.host,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        if os.environ.get(GENUINE_PLUGINS) != "1":
            plugins = provider.install(self.folder / "plugins")
            environment["PATH"] = os.pathsep.join((str(plugins), os.environ.get("PATH", os.defpath)))
        return automation.Engine(
            backend_url=state.as_uri(),
            passphrase=PASSPHRASE,
            environment=environment,
            # Of its own, so that the user's login and plugins are neither used nor changed.
            home=paths.make_cache_folder("pulumi-home"),
            root=self.engine.folder.parent,
        )


class Session(boto3.Session):
    """A session whose clients talk to one emulator, whatever the environment says."""

    def __init__(self, emulator: Emulator) -> None:
        environment = emulator.environment
        super().__init__(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
        )
        self._endpoint = emulator.endpoint

    if not TYPE_CHECKING:  # for the type checker it keeps boto3's own signatures, one for each service

        def client(self, *args: object, **options: object) -> object:
            """Make a client of the emulator."""
            return super().client(*args, **{"endpoint_url": self._endpoint, **options})


@contextmanager
def machine(settings: EmulatorSettings, say: Say, runtime: str = base_images.DEFAULT) -> Iterator[Machine]:
    """Make everything ready for functions of a runtime, start the emulator, and stop at the end what was started here.

    Raises:
        LocalError: a part is missing and cannot be made; the text says what to do.

    """
    with container_engine(say) as docker, machine_on(docker, settings, say, runtime) as ready:
        yield ready


@contextmanager
def machine_on(
    docker: ContainerEngine, settings: EmulatorSettings, say: Say, runtime: str = base_images.DEFAULT
) -> Iterator[Machine]:
    """Do the same with a container engine that somebody else starts and stops."""
    python = base_images.prepare(docker.host, say)
    base = base_images.prepare(docker.host, say, runtime)
    settings = replace(with_containers(settings, docker, python), interpreters=base_images.interpreters(runtime, say))
    pulumi = engine.prepare(say)
    with Emulator(settings) as emulator:
        yield Machine(
            folder=settings.state_folder, engine=pulumi, docker=docker, python=python, base=base, emulator=emulator
        )


def with_containers(settings: EmulatorSettings, docker: ContainerEngine, python: BaseImage) -> EmulatorSettings:
    """Give the same settings with this engine for tasks, and an image with Python."""
    reach_with = "" if reach.shares_our_network(docker) else python.reference
    return replace(settings, docker_host=docker.host, reach_with=reach_with)
