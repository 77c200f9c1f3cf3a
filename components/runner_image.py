"""The runner's container image, rebuilt and pushed when its sources change, and referenced by digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
import pulumi_docker_build as docker_build

from overtime.components.archives import PACKAGE, SOURCES, files

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = "runner/Dockerfile"
_PACKAGE_IN_SOURCES = PACKAGE.relative_to(SOURCES).as_posix()
_PLATFORMS = {"x86_64": docker_build.Platform.LINUX_AMD64, "arm64": docker_build.Platform.LINUX_ARM64}
COMPRESSION_LEVEL = 9
"""Of 22. BuildKit knows four steps; the last one takes far longer to build an image that is hardly smaller."""


@dataclass(frozen=True, kw_only=True)
class RunnerImageArgs:
    """Arguments of `RunnerImage`."""

    repository_url: pulumi.Input[str]
    """ECR repository to which the image is pushed."""
    base_image: str
    """Image that can start the functions' runtime, as AWS's do."""
    python_image: str
    """Image from which the runner takes its own Python."""
    runtime: str
    """The functions' runtime, such as `nodejs24.x`."""
    architecture: str
    """`x86_64` or `arm64`, as for the functions and tasks that use the image."""
    sources: str = str(SOURCES)
    """As in `PlatformArgs`."""


class RunnerImage(pulumi.ComponentResource):
    """One image, for functions of one runtime and architecture."""

    uri: pulumi.Output[str]

    def __init__(self, name: str, args: RunnerImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:RunnerImage", name, {}, opts)
        kind = tag_prefix(args.runtime, args.architecture)
        tag = kind + content_tag(args.base_image, args.python_image, args.architecture)
        url = pulumi.Output.from_input(args.repository_url)
        image = docker_build.Image(
            f"{name}-image",
            # The tag depends on the content, so that people see from which sources an image was built.
            tags=[pulumi.Output.format("{0}:{1}", url, tag)],
            context=docker_build.BuildContextArgs(location=args.sources),
            dockerfile=docker_build.DockerfileArgs(location=f"{args.sources}/{DOCKERFILE}"),
            build_args={
                "BASE_IMAGE": args.base_image,
                "PYTHON_IMAGE": args.python_image,
                "RUNTIME": args.runtime,
                "PACKAGE": _PACKAGE_IN_SOURCES,
            },
            platforms=[_PLATFORMS[args.architecture]],
            # Not `push`, which would add an export of its own, compressed with gzip.
            push=False,
            exports=[docker_build.ExportArgs(registry=_zstd())],
            build_on_preview=False,
            registries=[self._login()],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.uri = pulumi.Output.format("{0}@{1}", url, image.digest)
        self.register_outputs({"uri": self.uri})

    def _login(self) -> docker_build.RegistryArgs:
        token = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOptions(parent=self))
        return docker_build.RegistryArgs(
            address=token.proxy_endpoint, username=token.user_name, password=pulumi.Output.secret(token.password)
        )


def _zstd() -> docker_build.ExportRegistryArgs:
    """Return how the image is pushed: each layer compressed with Zstandard, those of the base image, too.

    Fargate pulls and unpacks the whole image for every task; Zstandard is smaller than gzip and unpacks faster. The
    base image's layers are most of the image, and ECS is reported to pull none with layers of both kinds ("number of
    layers and diffIDs don't match"). A builder that cannot compress with it, such as an old Docker Engine's own, pushes
    gzip.
    """
    return docker_build.ExportRegistryArgs(
        compression=docker_build.CompressionType.ZSTD,
        compression_level=COMPRESSION_LEVEL,
        force_compression=True,
        oci_media_types=True,
    )


def tag_prefix(runtime: str, architecture: str) -> str:
    """Return the prefix of the tags of all images of a kind; no prefix begins with that of another kind."""
    return f"{runtime}-{architecture}-"


def content_tag(base_image: str, python_image: str, architecture: str) -> str:
    """Return a hash of an image's content: every file that the Dockerfile copies, and what its stages start from."""
    digest = hashlib.sha256(f"{base_image}\n{python_image}\n{architecture}\n".encode())
    for name, file in sorted(image_files().items()):
        content = file.read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()[:20]


def image_files() -> dict[str, Path]:
    """Return the files of the image and its Dockerfile, by a name that is the same in a clone and once installed."""
    runner = {file.relative_to(SOURCES).as_posix(): file for file in files(SOURCES / "runner", "*")}
    shared = [PACKAGE / "__init__.py", PACKAGE / "errors.py", *files(PACKAGE / "contract", "*.py")]
    return runner | {f"{PACKAGE.name}/{file.relative_to(PACKAGE).as_posix()}": file for file in shared}
