"""The runner's container image, rebuilt and pushed when its sources change, and referenced by digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_awsx as awsx

from overtime.components.archives import PACKAGE, SOURCES, files

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = "runner/Dockerfile"
_PACKAGE_IN_SOURCES = PACKAGE.relative_to(SOURCES).as_posix()
_PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


@dataclass(frozen=True, kw_only=True)
class RunnerImageArgs:
    """Arguments of `RunnerImage`."""

    repository_url: pulumi.Input[str]
    """ECR repository to which the image is pushed."""
    base_image: str
    """Image with Lambda's runtime client for the functions' language and version."""
    runtime: str
    """The functions' language and version, such as `python3.13`."""
    architecture: str
    """`x86_64` or `arm64`, as for the functions and tasks that use the image."""
    sources: str = str(SOURCES)
    """As in `PlatformArgs`."""


class RunnerImage(pulumi.ComponentResource):
    """One image, for functions of one runtime and architecture."""

    uri: pulumi.Output[str]

    def __init__(self, name: str, args: RunnerImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:RunnerImage", name, {}, opts)
        tag = tag_prefix(args.runtime, args.architecture) + content_tag(args.base_image, args.architecture)
        image = awsx.ecr.Image(
            f"{name}-image",
            repository_url=args.repository_url,
            context=args.sources,
            dockerfile=f"{args.sources}/{DOCKERFILE}",
            # The tag is also a label of the image, so that two tags never share a digest: Pulumi deletes a replaced
            # image by its digest, after the new one was pushed.
            args={
                "BASE_IMAGE": args.base_image,
                "CONTENT_TAG": tag,
                "PACKAGE": _PACKAGE_IN_SOURCES,
            },
            platform=_PLATFORMS[args.architecture],
            # The tag depends on the content, so that people see from which sources an image was built.
            image_tag=tag,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.uri = image.image_uri
        self.register_outputs({"uri": self.uri})


def tag_prefix(runtime: str, architecture: str) -> str:
    """Return the prefix of the tags of all images of a kind; no prefix begins with that of another kind."""
    return f"{runtime}-{architecture}-"


def content_tag(base_image: str, architecture: str) -> str:
    """Return a hash of an image's content: every file that the Dockerfile copies, base image and platform."""
    digest = hashlib.sha256(f"{base_image}\n{architecture}\n".encode())
    for name, file in sorted(image_files().items()):
        content = file.read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()[:20]


def image_files() -> dict[str, Path]:
    """Return the files of the image and its Dockerfile, by a name that is the same in a clone and once installed."""
    runner = {f"runner/{file.name}": file for file in files(SOURCES / "runner", "*")}
    shared = [PACKAGE / "__init__.py", PACKAGE / "errors.py", *files(PACKAGE / "contract", "*.py")]
    return runner | {f"{PACKAGE.name}/{file.relative_to(PACKAGE).as_posix()}": file for file in shared}
