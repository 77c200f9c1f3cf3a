"""The `docker` command: build, push, forget. It uses the container engine that DOCKER_HOST names."""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.process import run, succeeds
from local.provider.docker_build.registry import host_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.provider.docker_build.inputs import ImageInputs, Registry
    from local.provider.docker_build.reference import Tag

BUILD_SECONDS = 1800
PUSH_SECONDS = 900
_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")


def build(image: ImageInputs) -> None:
    """Build the image inside the container engine, with each of its tags.

    Raises:
        LocalError: the build failed; the text ends with what Docker said last.

    """
    buildkit = succeeds(["docker", "buildx", "version"])
    bridge = succeeds(["docker", "network", "inspect", "bridge"])
    run(
        build_command(image, os.environ, buildkit=buildkit, bridge=bridge),
        because=(
            f"The image {str(image.tags[0])!r} could not be built from {str(image.dockerfile)!r}. Fix what Docker "
            "says below; if it says nothing of the Dockerfile, is the container engine that DOCKER_HOST names running?"
        ),
        timeout_seconds=BUILD_SECONDS,
        # Docker 23 and later build with buildx unless told otherwise, and fail where that is not installed.
        env={**image.build_args, **os.environ, "DOCKER_BUILDKIT": "1" if buildkit else "0"},
    )


def build_command(image: ImageInputs, environ: Mapping[str, str], *, buildkit: bool, bridge: bool) -> list[str]:
    """Give the command that builds an image whose build arguments are in the environment."""
    # A value in the environment is seen neither by other processes nor in our errors.
    arguments = [name if name not in environ else f"{name}={value}" for name, value in sorted(image.build_args.items())]
    return [
        # Provenance would be told in an index around the image, which Lambda and ECS have no use for.
        *(["docker", "buildx", "build", "--load", "--provenance=false"] if buildkit else ["docker", "build"]),
        # An engine without a bridge, such as one that local.docker_daemon starts, has no other network for RUN.
        *([] if bridge else ["--network=host"]),
        *(f"--tag={tag}" for tag in image.tags),
        *(f"--build-arg={argument}" for argument in arguments),
        *([f"--platform={image.platform}"] if image.platform else []),
        *([f"--target={image.target}"] if image.target else []),
        f"--file={image.dockerfile}",
        str(image.context),
    ]


def push(tag: Tag, registries: Sequence[Registry]) -> str:
    """Push one tag, and give the digest under which the registry has the image.

    Raises:
        LocalError: the registry did not take it.

    """
    with tempfile.TemporaryDirectory(prefix="overtime-docker-") as folder:
        # A configuration of its own: the credentials are short-lived and nobody else's business.
        config = Path(folder) / "config.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(credentials(registries)), encoding="utf-8")
        said = run(
            ["docker", "--config", folder, "push", str(tag)],
            because=(
                f"The registry {tag.host!r} did not take the image. Does it answer, is there a repository "
                f"{tag.repository!r}, and, where its tags cannot be moved, is {tag.tag!r} free?"
            ),
            timeout_seconds=PUSH_SECONDS,
        )
    digests = _DIGEST.findall(said)
    if not digests:
        raise LocalError(
            f"Docker pushed {str(tag)!r} without saying a digest, so the image could not be named exactly. "
            f"It said: {said.strip()[-300:]!r}. Is this another program by the name of docker?"
        )
    return str(digests[-1])


def credentials(registries: Sequence[Registry]) -> dict[str, dict[str, dict[str, str]]]:
    """Give Docker's configuration file for these registries."""
    return {
        "auths": {
            host_of(registry.address): {
                "auth": base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
            }
            for registry in registries
        }
    }


def forget(names: Sequence[str]) -> None:
    """Take names of images out of the container engine, and the images that have no other name."""
    for name in names:
        # One that is gone, or that a container still uses, is nothing to fail for: the registry has the image.
        succeeds(["docker", "image", "rm", name], timeout_seconds=60)
