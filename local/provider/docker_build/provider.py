"""The resource `docker-build:index:Image` as the engine asks for it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from pulumi.provider.experimental import provider as pulumi_provider
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from local.errors import LocalError
from local.provider.docker_build import engine, inputs, registry
from local.provider.docker_build.context import context_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.provider.docker_build.inputs import Plain

VERSION = "0.0.22"
IMAGE = "docker-build:index:Image"
Values = dict[str, PropertyValue]
_OUTPUTS = ("contextHash", "digest", "ref")


class ImageProvider(pulumi_provider.Provider):
    """Builds, pushes and removes images. A change builds again and never replaces, as with the genuine plugin."""

    async def check(self, request: pulumi_provider.CheckRequest) -> pulumi_provider.CheckResponse:
        """Refuse what cannot be built here."""
        _know(request.type)
        problems = inputs.refusals(inputs.plain_map(request.new_inputs))
        # Not by the field for it: the engine would print the value, secret or not.
        failures = [pulumi_provider.CheckFailure("", f"{name} {reason}.") for name, reason in problems.items()]
        return pulumi_provider.CheckResponse(inputs=request.new_inputs, failures=failures)

    async def diff(self, request: pulumi_provider.DiffRequest) -> pulumi_provider.DiffResponse:
        """Say which inputs changed, and whether a file did."""
        old, new = inputs.plain_map(request.old_state), inputs.plain_map(request.new_inputs)
        changed = [name for name in changes(old, new) if name not in request.ignore_changes]
        return pulumi_provider.DiffResponse(
            changes=bool(changed),
            diffs=changed,
            detailed_diff={
                name: pulumi_provider.PropertyDiff(pulumi_provider.PropertyDiffKind.UPDATE, input_diff=name in new)
                for name in changed
            },
        )

    async def create(self, request: pulumi_provider.CreateRequest) -> pulumi_provider.CreateResponse:
        """Build and push; in a preview, say what is known."""
        if request.preview:
            return pulumi_provider.CreateResponse(properties=preview(request.properties))
        state = await asyncio.to_thread(build, request.properties)
        return pulumi_provider.CreateResponse(resource_id=str(state["digest"].value), properties=state)

    async def update(self, request: pulumi_provider.UpdateRequest) -> pulumi_provider.UpdateResponse:
        """Build and push again."""
        if request.preview:
            return pulumi_provider.UpdateResponse(properties=preview(request.news))
        state = await asyncio.to_thread(build, request.news)
        await asyncio.to_thread(forget_replaced, inputs.plain_map(request.olds), inputs.plain_map(state))
        return pulumi_provider.UpdateResponse(properties=state)

    async def read(self, request: pulumi_provider.ReadRequest) -> pulumi_provider.ReadResponse:
        """Say whether the registry still has the image."""
        state = inputs.plain_map(request.properties)
        if "digest" not in state:
            raise LocalError(
                f"The image {request.resource_id!r} cannot be imported: the local stand-in of docker-build only knows "
                "images that it made. Remove the import, and the image is built."
            )
        image = inputs.parse(state)
        there = await asyncio.to_thread(registry.has_image, image.tags[0], str(state["digest"]), image.registries)
        if not there:
            return pulumi_provider.ReadResponse()
        return pulumi_provider.ReadResponse(request.resource_id, request.properties, request.inputs)

    async def delete(self, request: pulumi_provider.DeleteRequest) -> None:
        """Remove the image from the container engine and from the registry, as the genuine plugin does."""
        await asyncio.to_thread(remove, inputs.plain_map(request.properties))


def changes(old: Mapping[str, Plain], new: Mapping[str, Plain]) -> list[str]:
    """Name what differs; a registry's password does not count, it is another one each time."""
    names = sorted((old.keys() | new.keys()) - {*_OUTPUTS, "registries"})
    changed = [name for name in names if old.get(name) != new.get(name)]
    if _logins(old) != _logins(new):
        changed.append("registries")
    if not _places_unknown(new) and context_hash(*inputs.paths(new)) != old.get("contextHash"):
        changed.append("contextHash")
    return changed


def preview(properties: Values) -> Values:
    """Give what will be; the digest is not known before the build."""
    later = {name: PropertyValue(UNKNOWN) for name in _OUTPUTS}
    given = inputs.plain_map(properties)
    if not _places_unknown(given):
        later["contextHash"] = PropertyValue(context_hash(*inputs.paths(given)))
    return properties | later


def build(properties: Values) -> Values:
    """Build, push each tag, and give the resource's state."""
    image = inputs.parse(inputs.plain_map(properties))
    # Before the build: a file that changes meanwhile is then a change to the next run.
    content = context_hash(image.context, image.dockerfile)
    engine.build(image)
    digests = [engine.push(tag, image.registries) for tag in image.tags]
    made = {"contextHash": content, "digest": digests[0], "ref": f"{image.tags[0]}@{digests[0]}"}
    return properties | {name: PropertyValue(value) for name, value in made.items()}


def forget_replaced(old: Mapping[str, Plain], new: Mapping[str, Plain]) -> None:
    """Take the image before an update out of the container engine; the registry keeps it, as it does on AWS."""
    if old.get("digest") == new.get("digest"):
        return
    now = {str(tag) for tag in inputs.parse(new).tags}
    before = inputs.parse(old).tags
    engine.forget([str(tag) for tag in before if str(tag) not in now])
    engine.forget([tag.at(str(old["digest"])) for tag in before])


def remove(state: Mapping[str, Plain]) -> None:
    """Remove the image where it is; what a registry does not remove is told, and not an error."""
    image = inputs.parse(state)
    engine.forget([str(tag) for tag in image.tags])
    for tag in {(tag.host, tag.repository): tag for tag in image.tags}.values():
        try:
            gone = registry.remove_image(tag, str(state["digest"]), image.registries)
            problem = "" if gone else f"The registry {tag.host!r} does not remove images."
        except LocalError as error:
            problem = str(error)
        if problem:
            sys.stderr.write(f"The image {tag.at(str(state['digest']))!r} was left in its registry. {problem}\n")


def _logins(state: Mapping[str, Plain]) -> list[tuple[str, str]]:
    return [(login.address, login.username) for login in inputs.registries(state)]


def _places_unknown(state: Mapping[str, Plain]) -> bool:
    return inputs.unknown(state.get("context")) or inputs.unknown(state.get("dockerfile"))


def _know(kind: str) -> None:
    # The SDK reads the type out of the URN, where it follows those of its parents.
    if kind.rpartition("$")[2] != IMAGE:
        raise LocalError(
            f"The local stand-in of docker-build knows {IMAGE}, and not {kind!r}. Use an Image, or the genuine plugin."
        )
