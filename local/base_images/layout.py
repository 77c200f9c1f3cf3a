"""A base image with AWS's layout and without Python: Debian, without the Python of the image that it is made of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from local.base_images import python, store
from local.errors import LocalError
from local.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local.base_images.store import Recipe, Say

HERE = Path(__file__).parent
DOCKERFILE = """\
ARG DEBIAN
FROM ${DEBIAN} AS debian
RUN dpkg --purge $(dpkg-query --show --showformat '${Package} ' 'python3*' 'libpython3*') 2>&1 \\
    && rm -rf /usr/local/lib/python3* /usr/lib/python3* /usr/share/python3 \\
    && ln -s C.utf8 /usr/lib/locale/en_US.utf8

FROM scratch
COPY --from=debian / /
COPY root /
"""
# The folders as AWS's images have them: https://github.com/aws/aws-lambda-base-images, the Dockerfile of each runtime.
ENVIRONMENT = {
    "LANG": "en_US.UTF-8",
    "TZ": ":/etc/localtime",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
}
BUILD_SECONDS = 600


def digest(*parts: str, environment: Mapping[str, str] = ENVIRONMENT) -> str:
    """Return a short name for what goes into an image: these parts, Debian and the environment."""
    every = (python.recipe().digest, DOCKERFILE, repr(environment), *parts)
    return hashlib.sha256("\n".join(every).encode()).hexdigest()[:12]


def script(head: Path, version: str) -> str:
    """Return a start script: its head, in which NN stands for the runtime's version, and what all have in common."""
    return head.read_text(encoding="utf-8").replace("NN", version) + (HERE / "start.sh").read_text(encoding="utf-8")


def write_script(root: Path, text: str) -> None:
    """Put a start script where AWS's images have it."""
    file = root / "var" / "runtime" / "bootstrap"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


class DoesNotRunError(LocalError):
    """The image's own program does not run in it."""


def make(  # noqa: PLR0913 -- what every recipe is given, and what differs by keyword
    recipe: Recipe,
    docker_host: str,
    kept: Path,
    say: Say,
    *,
    fill: Callable[[Path], None],
    check: Sequence[str] = ("true",),
    environment: Mapping[str, str] = ENVIRONMENT,
) -> None:
    """Make an image that has, beside Debian, what `fill` puts into a folder that stands for `/`.

    Raises:
        DoesNotRunError: the command `check` fails in it.
        LocalError: it cannot be built, or Debian's image cannot be made here.

    """
    debian = store.prepare(python.recipe(), docker_host, say, pull=False)
    with store.working_folder(recipe, kept) as working:
        root = working / "root"
        for name in ("var/task", "var/runtime", "opt"):
            (root / name).mkdir(parents=True)
        fill(root)
        say(f"base image: making {recipe.tag}")
        settings = [f"ENV {name}={value}" for name, value in environment.items()]
        settings += [f"LABEL {store.RECIPE_LABEL}={recipe.digest}", "WORKDIR /var/task"]
        (working / "Dockerfile").write_text(DOCKERFILE + "\n".join(settings) + "\n", encoding="utf-8")
        run(
            [
                *("docker", "--host", docker_host, "build", "--quiet", "--network=none", "--tag", recipe.tag),
                *("--build-arg", f"DEBIAN={debian.reference}", str(working)),
            ],
            because=f"The base image {recipe.tag!r} could not be built. What Docker says is below.",
            timeout_seconds=BUILD_SECONDS,
        )
        try:
            run(["docker", "--host", docker_host, "run", "--rm", "--network=none", recipe.tag, *check], because="")
        except LocalError as error:
            raise DoesNotRunError(str(error)) from error
        store.keep(docker_host, recipe.tag, kept, working)
