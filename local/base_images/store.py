"""Where a base image comes from: the engine has it, the cache folder keeps it, AWS offers it, or it is made."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local import leftovers, paths
from local.errors import LocalError
from local.process import run, succeeds
from overtime.contract.runtimes import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Say = Callable[[str], None]
    Make = Callable[["Recipe", str, Path, Say], None]
    """Puts the image into the engine (its address is the second argument) and keeps it in the file."""

FOLDER = "base-image"
RECIPE_LABEL = "overtime.recipe"
WORKING = "root-"
"""Prefix of the folders in which images are made."""
REACHABLE_SECONDS = 15
PULL_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """What to give the runner's Dockerfile as `BASE_IMAGE`."""

    reference: str
    runtime: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An image that can be made here."""

    runtime: str
    name: str
    """Names the image and its file."""
    digest: str
    """Stands for all that goes into it, so that an image made another way is not taken for it."""
    make: Make

    @property
    def tag(self) -> str:
        """Return the name of the image."""
        return f"overtime-base:{self.name}"

    @property
    def aws(self) -> str:
        """Return the name of AWS's image for the same runtime."""
        return RUNTIMES[self.runtime].base_image


def prepare(recipe: Recipe, docker_host: str, say: Say, *, pull: bool = True) -> BaseImage:
    """Put the image, or AWS's if it may be pulled, into the engine.

    Raises:
        LocalError: AWS's image cannot be pulled, and ours cannot be made here.

    """
    found = found_in(recipe, docker_host)
    if found is not None and (pull or found.reference == recipe.tag):
        return found
    folder = paths.make_cache_folder(FOLDER)
    kept = kept_file(recipe, folder)
    own = BaseImage(reference=recipe.tag, runtime=recipe.runtime)
    # A lock for each: to make one image may need another.
    lock = folder / f"{recipe.name}.lock"
    with paths.locked(lock, lambda: say("base image: another set-up is making it; waiting for that")):
        # What a set-up that was killed left behind: nobody else makes one while the lock is held.
        for left in folder.glob(f"{WORKING}{recipe.name}-*"):
            leftovers.remove(left)
        if not kept.exists():
            if pull and _pull(docker_host, recipe.aws, say):
                return BaseImage(reference=recipe.aws, runtime=recipe.runtime)
            recipe.make(recipe, docker_host, kept, say)
            return own
    say(f"base image: loading {recipe.tag} from the cache")
    run(
        ["docker", "--host", docker_host, "load", "--quiet", "--input", str(kept)],
        because=f"The base image could not be loaded; if the file is broken, remove {str(kept)!r}.",
        timeout_seconds=300,
    )
    return own


def found_in(recipe: Recipe, docker_host: str) -> BaseImage | None:
    """Find AWS's image or ours in the engine."""
    if _label(docker_host, recipe.aws) is not None:
        return BaseImage(reference=recipe.aws, runtime=recipe.runtime)
    if _label(docker_host, recipe.tag) == recipe.digest:
        return BaseImage(reference=recipe.tag, runtime=recipe.runtime)
    return None


def kept_file(recipe: Recipe, folder: Path) -> Path:
    """Name the file in which the image that is made by this recipe is kept."""
    return folder / f"{recipe.name}-{recipe.digest}.tar"


@contextmanager
def working_folder(recipe: Recipe, kept: Path) -> Iterator[Path]:
    """Make a folder beside the file, in which new files can be read by all.

    Tasks run as users who own none of an image's files, whatever this user's umask is.
    """
    before = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=f"{WORKING}{recipe.name}-") as folder:
            yield Path(folder)
    finally:
        os.umask(before)


def keep(docker_host: str, reference: str, kept: Path, working: Path) -> None:
    """Save an image of the engine in the cache; `working` is a folder of the same file system.

    Raises:
        LocalError: it cannot be written.

    """
    saved = working / "image.tar"
    run(
        ["docker", "--host", docker_host, "save", "--output", str(saved), reference],
        because="The base image could not be packed; is the disk full?",
        timeout_seconds=300,
    )
    saved.rename(kept)


def _label(docker_host: str, reference: str) -> str | None:
    """Read the recipe label of an image in the engine; None when the image is not there."""
    template = f'{{{{index .Config.Labels "{RECIPE_LABEL}"}}}}'
    command = ["docker", "--host", docker_host, "image", "inspect", "--format", template, reference]
    try:
        return run(command, because="").strip()
    except LocalError:
        return None


def _pull(docker_host: str, reference: str, say: Say) -> bool:
    say(f"base image: asking for {reference}")
    docker = ["docker", "--host", docker_host]
    # The manifest first: it is small, so an unreachable registry costs seconds, and a slow pull is still waited for.
    if not succeeds([*docker, "manifest", "inspect", reference], timeout_seconds=REACHABLE_SECONDS):
        say(f"base image: {reference} cannot be reached from here")
        return False
    say(f"base image: pulling {reference}")
    return succeeds([*docker, "pull", "--quiet", reference], timeout_seconds=PULL_SECONDS)
