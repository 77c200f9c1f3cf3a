"""Runner images for the benches: built in the container engine, and removed when a bench ends."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local import base_images
from local.process import run
from overtime.contract import runtimes
from overtime.contract.runtimes import PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.docker_daemon import ContainerEngine

ROOT = Path(__file__).resolve().parents[1]
RUNTIMES = (
    base_images.DEFAULT,
    *{
        known.family.name: name
        for name in base_images.RECIPES
        if (known := runtimes.RUNTIMES[name]).family is not PYTHON
    }.values(),
)
"""One of each family whose base image can be had here."""
BUILD_SECONDS = 600


@contextmanager
def runner_image(docker: ContainerEngine, runtime: str) -> Iterator[tuple[str, str]]:
    """Build the runner's image for a runtime; give the names of its base image and of the image."""
    base = base_images.prepare(docker.host, tell, runtime).reference
    python = base_images.prepare(docker.host, tell).reference
    tag = f"overtime-bench:{runtime}"
    arguments = {"BASE_IMAGE": base, "PYTHON_IMAGE": python, "RUNTIME": runtime}
    docker_command = ["docker", "--host", docker.host]
    run(
        [
            *(*docker_command, "build", "--quiet", "--file", str(ROOT / "runner" / "Dockerfile"), "--tag", tag),
            *(["--network=host"] if docker.ours else []),
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
            str(ROOT),
        ],
        because="The runner's image could not be built; its Dockerfile says what it needs.",
        timeout_seconds=BUILD_SECONDS,
    )
    try:
        yield base, tag
    finally:
        run([*docker_command, "image", "rm", tag], because="The bench's own tag could not be removed.")


def tell(line: str) -> None:
    """Show what is being made, beside the tables."""
    print(line, file=sys.stderr)
