"""The base image for OS-only runtimes: no interpreter of any kind, except Debian's shell and Perl."""

from __future__ import annotations

from functools import partial

from local.base_images import layout, python
from local.base_images.store import Recipe

RUNTIME = "provided.al2023"
ENVIRONMENT = layout.ENVIRONMENT | {
    "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
}


def recipe() -> Recipe:
    """Return how the image is made: Debian alone."""
    make = partial(layout.make, fill=lambda _root: None, environment=ENVIRONMENT)
    digest = layout.digest(environment=ENVIRONMENT)
    return Recipe(runtime=RUNTIME, name=f"{python.SUITE}-{RUNTIME}", digest=digest, make=make)
