"""The few requests to a registry that the `docker` command has no words for (OCI distribution specification)."""

from __future__ import annotations

import base64
import ipaddress
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING

from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.provider.docker_build.inputs import Registry
    from local.provider.docker_build.reference import Tag

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
TIMEOUT_SECONDS = 20


def has_image(tag: Tag, digest: str, registries: Sequence[Registry]) -> bool:
    """Say whether the tag still means this image.

    Raises:
        LocalError: the registry does not answer, or not to that question.

    """
    status, found = _ask("HEAD", tag, tag.tag, registries)
    if status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
        raise LocalError(
            f"The registry {tag.host!r} answered {status} when asked for the image {str(tag)!r}, so whether it "
            "is there is not known. Log in to it, or start it, and try again."
        )
    return status == HTTPStatus.OK and found == digest


def remove_image(tag: Tag, digest: str, registries: Sequence[Registry]) -> bool:
    """Remove the image from the registry, and say whether it is gone.

    Raises:
        LocalError: the registry does not answer.

    """
    status, _ = _ask("DELETE", tag, digest, registries)
    return status in {HTTPStatus.ACCEPTED, HTTPStatus.OK, HTTPStatus.NOT_FOUND}


def host_of(address: str) -> str:
    """Take the host and port out of a registry's address, which may be a URL."""
    return address.partition("://")[2].partition("/")[0] if "://" in address else address.partition("/")[0]


def scheme(host: str) -> str:
    """Choose as Docker does: plain HTTP on this computer only."""
    name = host.rpartition(":")[0] or host
    try:
        local = ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = name == "localhost"
    return "http" if local else "https"


def _ask(method: str, tag: Tag, reference: str, registries: Sequence[Registry]) -> tuple[int, str | None]:
    """Send a request about one manifest; the answer is its status and the digest that it tells."""
    headers = {"Accept": ", ".join(MANIFESTS)}
    for registry in registries:
        if host_of(registry.address) == tag.host:
            pair = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
    url = f"{scheme(tag.host)}://{tag.host}/v2/{tag.repository}/manifests/{reference}"
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - http or https, see `scheme`
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - likewise
            return int(answer.status), answer.headers.get("Docker-Content-Digest")
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, None
    except OSError as error:
        raise LocalError(
            f"The registry {tag.host!r} does not answer ({error}), so nothing is known of the image {str(tag)!r}. "
            "Start what serves it, and try again."
        ) from error
