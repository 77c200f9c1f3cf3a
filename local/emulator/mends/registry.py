"""ECR as a registry that a container engine on this computer can reach."""

from __future__ import annotations

import contextlib
import json
import os

from local.emulator.mends.patching import Answer, Record, module, original, replace


def address() -> str:
    """Name the registry; container engines allow plain HTTP on 127.0.0.1 without being told to."""
    return f"127.0.0.1:{os.environ['GATEWAY_PORT']}"


def serve_the_registry_here() -> None:
    """Name the registry that serves it in a repository's URI; on AWS: `<account>.dkr.ecr.<region>.amazonaws.com`.

    This one is served on the emulator's own port, so its URI says that.
    """
    ecr = module("services.ecr")

    def uri(name: str) -> str:
        return f"{address()}/{name}"

    replace(ecr, "_repo_uri", uri)


def log_in_here() -> None:
    """GetAuthorizationToken names the endpoint to log in to."""
    ecr = module("services.ecr")
    inner = original(ecr, "_get_authorization_token")

    def token(data: Record) -> Answer:
        status, headers, body = inner(data)
        answer = json.loads(body)
        for entry in answer["authorizationData"]:
            entry["proxyEndpoint"] = f"http://{address()}"
        return status, headers, json.dumps(answer).encode()

    replace(ecr, "_get_authorization_token", token)


def tell_the_size_of_images() -> None:
    """Say an image's compressed size: its configuration and layers (ECR API reference, ImageDetail)."""
    ecr = module("services.ecr")
    inner = original(ecr, "_describe_images")

    def describe(data: Record) -> Answer:
        status, headers, body = inner(data)
        answer = json.loads(body)
        for detail in answer.get("imageDetails", []):
            image = ecr._find_image(detail["repositoryName"], {"imageDigest": detail["imageDigest"]})  # noqa: SLF001
            manifest = json.loads(image["imageManifest"])
            parts = [manifest.get("config", {}), *manifest.get("layers", [])]
            detail["imageSizeInBytes"] = sum(part.get("size", 0) for part in parts)
        return status, headers, json.dumps(answer).encode()

    replace(ecr, "_describe_images", describe)


def forget_images() -> None:
    """Take this registry's names out of the container engine: nobody can pull from it any more."""
    client = module("services.ecs")._docker  # noqa: SLF001 - there when a task was started, and only then
    if client is None:
        return
    from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415 - only where an engine is

    with contextlib.suppress(DockerException):
        for image in client.images.list():
            for name in (*image.tags, *image.attrs.get("RepoDigests", [])):
                if name.startswith(f"{address()}/"):
                    client.images.remove(name)


MENDS = (serve_the_registry_here, log_in_here, tell_the_size_of_images)
