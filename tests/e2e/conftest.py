"""One machine for all end-to-end tests: engine, containers and an emulator that enforces IAM and records calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.emulator import EmulatorSettings
from local.stack import machine_on
from tests.e2e.chain import Chain, publish_layers, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.docker_daemon import ContainerEngine
    from local.stack import Machine


@pytest.fixture(scope="session")
def here(docker: ContainerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Give the machine: retries on Lambda wait a tenth of a second, schedules and messages' delays last shorter."""
    settings = EmulatorSettings(
        state_folder=tmp_path_factory.mktemp("machine"),
        enforce_iam=True,
        retry_base_seconds=0.1,
        schedule_seconds_per_minute=2,
        delay_seconds_per_minute=6,
        record_calls=True,
    )
    with machine_on(docker, settings, print) as ready:
        yield ready


@pytest.fixture(scope="session")
def chain(here: Machine) -> Iterator[Chain]:
    """Deploy a function for each kind of handler; all go straight to Fargate."""
    layers = publish_layers(here.session)
    deployment = here.deployment(settings(here.runtime, here.base.reference, layers), stack="chain")
    try:
        yield Chain(here, deployment.up().outputs)
    finally:
        deployment.destroy(remove=True)
