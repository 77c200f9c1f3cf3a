"""ECR as a registry that a container engine on this computer can reach."""

from __future__ import annotations

import contextlib
import json
import os

from local.emulator.patches.patching import Answer, Record, module, original, replace


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


def forget_deleted_images() -> None:
    """BatchDeleteImage takes a tag off, and an image without tags or named by its digest out of the registry.

    ECR API reference, BatchDeleteImage. What is deleted cannot be pulled by its digest any more.
    """
    ecr = module("services.ecr")
    inner = original(ecr, "_batch_delete_image")

    def delete(data: Record) -> Answer:
        name, untagged, others = data.get("repositoryName", ""), [], []
        for identity in data.get("imageIds", []):
            image = None if identity.get("imageDigest") else ecr._find_image(name, identity)  # noqa: SLF001
            if image and len(image.get("imageTags", [])) > 1:
                untagged.append(_take_tag_off(image, identity["imageTag"]))
            else:
                others.append(identity)
        status, headers, body = inner({**data, "imageIds": others})
        answer = json.loads(body)
        if "imageIds" in answer:
            answer["imageIds"] += untagged
            kept = {image["imageDigest"] for image in ecr._images.get(name, [])}  # noqa: SLF001
            manifests = ecr._manifest_blobs.get(name, {})  # noqa: SLF001
            for identity in answer["imageIds"]:
                if identity["imageDigest"] not in kept:
                    manifests.pop(identity["imageDigest"], None)
        return status, headers, json.dumps(answer).encode()

    replace(ecr, "_batch_delete_image", delete)


def _take_tag_off(image: Record, tag: str) -> Record:
    image["imageTags"].remove(tag)
    image["imageId"] = {"imageDigest": image["imageDigest"], "imageTag": image["imageTags"][0]}
    return {"imageDigest": image["imageDigest"], "imageTag": tag}


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


PATCHES = (serve_the_registry_here, log_in_here, tell_the_size_of_images, forget_deleted_images)
