"""What the end-to-end tests of the product and of the stand-ins share: made ready once a run, by whoever asks first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from local import base_images, engine
from local.containers import container_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine
    from local.engine import Engine

# How long an example takes says nothing on a machine that is busy with other work.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


ROOT = Path(__file__).parent
LINUX_ONLY = (ROOT / "tests" / "faults", ROOT / "tests" / "unit" / "runner")
"""They run the runner, a program for Linux, outside its image."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what cannot work here."""
    return True if sys.platform != "linux" and collection_path in LINUX_ONLY else None


def pytest_report_header() -> str | None:
    """Say what is left out."""
    if sys.platform == "linux":
        return None
    left = " and ".join(folder.relative_to(ROOT).as_posix() for folder in LINUX_ONLY)
    return f"left out on {sys.platform}: {left}, which run the runner, a program for Linux"


@pytest.fixture(scope="session")
def docker() -> Iterator[ContainerEngine]:
    """Give a container engine; one that is started here runs until the last test has ended."""
    with container_engine(print) as found:
        yield found


@pytest.fixture(scope="session")
def base(docker: ContainerEngine) -> BaseImage:
    """Give the runner's base image, in the container engine."""
    return base_images.prepare(docker.host, print)


@pytest.fixture(scope="session")
def base_of(docker: ContainerEngine) -> Callable[[str], BaseImage]:
    """Give the base image for a runtime, in the container engine."""
    return lambda runtime: base_images.prepare(docker.host, print, runtime)


@pytest.fixture(scope="session")
def pulumi_engine() -> Engine:
    """Give the Pulumi engine."""
    return engine.prepare(print)
