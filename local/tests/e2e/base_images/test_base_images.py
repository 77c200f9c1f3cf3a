"""The base images that are made here, in containers: nothing of Python in them, and what AWS's have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine

pytestmark = pytest.mark.e2e
RUNTIMES = ("nodejs22.x", "java17", "provided.al2023")
"""One of each recipe."""


def shell(docker: ContainerEngine, image: BaseImage, script: str) -> str:
    """Run a script in a container of the image."""
    command = ["docker", "--host", docker.host, "run", "--rm", "--network=none", "--entrypoint=/bin/sh"]
    return run([*command, image.reference, "-c", script], because="The image is broken.")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_there_is_no_python(runtime: str, docker: ContainerEngine, base_of: Callable[[str], BaseImage]) -> None:
    """So the runner, a Python program, runs only because its image brings an interpreter."""
    image = base_of(runtime)
    found = shell(docker, image, "find / -xdev \\( -name 'python3*' -o -name 'libpython*' \\) ! -path '/proc/*'")
    assert found == ""


def test_nodejs_has_the_sdk(docker: ContainerEngine, base_of: Callable[[str], BaseImage]) -> None:
    """Where the start script says that modules are."""
    image = base_of("nodejs22.x")
    script = """
        export AWS_LAMBDA_EXEC_WRAPPER=/tmp/wrapper
        printf '#!/bin/sh\\nexec node -e "console.log(typeof require(process.argv[1]).S3Client)" @aws-sdk/client-s3' \\
            >$AWS_LAMBDA_EXEC_WRAPPER
        chmod +x $AWS_LAMBDA_EXEC_WRAPPER
        /var/runtime/bootstrap
    """
    assert shell(docker, image, script) == "function\n"
