"""The images that the runner's image is built on: AWS's own where they can be pulled, else ones of the same layout.

Ours are made of Debian packages, the interpreters of PyPI's packages and AWS's runtime clients, once: each is kept as a
tar in the cache folder. To try AWS's image again, remove that tar and the image.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from local.base_images import java, nodejs, provided, python, store
from local.base_images.store import BaseImage
from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from local.base_images.store import Recipe

__all__ = ["DEFAULT", "BaseImage", "found_in", "interpreters", "kept_file", "prepare"]

DEFAULT = python.RUNTIME
RECIPES: Mapping[str, Callable[[], Recipe]] = {
    python.RUNTIME: python.recipe,
    **{runtime: partial(nodejs.recipe, runtime) for runtime in nodejs.WHEELS},
    **{runtime: partial(java.recipe, runtime) for runtime in java.WHEELS},
    provided.RUNTIME: provided.recipe,
}
"""How each image is made."""


def prepare(docker_host: str, say: Callable[[str], None], runtime: str = DEFAULT) -> BaseImage:
    """Put a base image for functions of a runtime into the engine at `docker_host` and name it. Seconds when repeated.

    Raises:
        LocalError: AWS's image cannot be pulled, and none can be made here.

    """
    return store.prepare(_recipe(runtime), docker_host, say)


def found_in(docker_host: str, runtime: str = DEFAULT) -> BaseImage | None:
    """Find a base image that the engine has already."""
    return store.found_in(_recipe(runtime), docker_host)


def kept_file(cache: Path, runtime: str = DEFAULT) -> Path:
    """Name the file below the cache folder in which the image that we make is kept."""
    return store.kept_file(_recipe(runtime), cache / store.FOLDER)


def interpreters(runtime: str, say: Callable[[str], None]) -> dict[str, Path]:
    """Return the program that runs functions of a runtime on this computer, if it has to be installed for that.

    Raises:
        LocalError: it cannot be installed.

    """
    return {runtime: nodejs.program(runtime, say)} if runtime in nodejs.WHEELS else {}


def _recipe(runtime: str) -> Recipe:
    if runtime not in RECIPES:
        raise LocalError(f"No base image of {runtime!r} can be made here. Use one of {', '.join(RECIPES)}.")
    return RECIPES[runtime]()
