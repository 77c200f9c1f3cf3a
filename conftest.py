"""What the end-to-end tests of the product and of the stand-ins share: made ready once a run, by whoever asks first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local import base_image, engine
from local.containers import container_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.base_image import BaseImage
    from local.docker_daemon import ContainerEngine
    from local.engine import Engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run end-to-end tests one after the other, whichever process runs the other files: they share a machine."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("end to end" if item.get_closest_marker("e2e") else file))


@pytest.fixture(scope="session")
def docker() -> Iterator[ContainerEngine]:
    """Give a container engine; one that is started here runs until the last test has ended."""
    with container_engine(print) as found:
        yield found


@pytest.fixture(scope="session")
def base(docker: ContainerEngine) -> BaseImage:
    """Give the runner's base image, in the container engine."""
    return base_image.prepare(docker.host, print)


@pytest.fixture(scope="session")
def pulumi_engine() -> Engine:
    """Give the Pulumi engine."""
    return engine.prepare(print)
