"""The inputs of an image: those that are built here, and the refusal of all others by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pulumi.runtime.rpc import UNKNOWN

from local.provider.docker_build.reference import InvalidTagError, Tag

if TYPE_CHECKING:
    from pulumi.provider.experimental.property_value import PropertyValue

Plain: TypeAlias = "bool | float | str | Sequence[Plain] | Mapping[str, Plain] | None"

BUILT = ("tags", "context", "dockerfile", "buildArgs", "platforms", "target", "exports", "registries")
WITHOUT_EFFECT = ("buildOnPreview",)
"""A preview builds nothing here, whatever it says."""
DEFAULTS: Mapping[str, tuple[Plain, ...]] = {
    "exec": (False,),
    "load": (False,),
    "network": ("default",),
    "noCache": (False,),
    "pull": (False,),
    "push": (False,),  # an export says so, and how
}
"""Inputs that are taken only with the value that they have anyway."""


@dataclass(frozen=True)
class Registry:
    """Where to log in for a push."""

    address: str
    username: str
    password: str

    def __repr__(self) -> str:
        """Leave the password out, wherever this is printed."""
        return f"Registry({self.address!r}, {self.username!r})"


@dataclass(frozen=True, kw_only=True)
class ImageInputs:
    """What to build, and where to push it."""

    tags: tuple[Tag, ...]
    context: Path
    dockerfile: Path
    build_args: Mapping[str, str]
    platform: str | None
    target: str | None
    registries: tuple[Registry, ...]


def plain(value: PropertyValue) -> Plain:
    """Take a value out of its wrapping; what is not known yet is `UNKNOWN`."""
    inner = value.value
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [plain(item) for item in inner]
    if inner is None or isinstance(inner, bool | float | str):
        return inner
    return f"an unsupported {type(inner).__name__}"


def plain_map(values: Mapping[str, PropertyValue]) -> dict[str, Plain]:
    """Take the values of a resource out of their wrapping; absent and null are the same."""
    found = {key: plain(value) for key, value in values.items()}
    return {key: value for key, value in found.items() if value is not None}


def unknown(value: Plain) -> bool:
    """Say whether a value, or anything in it, is not known before another resource is made."""
    if isinstance(value, Mapping):
        return any(unknown(item) for item in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(unknown(item) for item in value)
    return value == UNKNOWN


def refusals(given: Mapping[str, Plain]) -> dict[str, str]:
    """Say for each input that cannot be honoured why not, and what to do."""
    found: dict[str, str] = {}
    for name, value in given.items():
        if name in DEFAULTS:
            if not unknown(value) and value not in DEFAULTS[name]:
                found[name] = f"is {value!r}; the local stand-in of docker-build builds with {DEFAULTS[name][0]!r} only"
        elif name not in (*BUILT, *WITHOUT_EFFECT):
            found[name] = (
                f"is not supported by the local stand-in of docker-build, which knows {', '.join(BUILT)}. "
                "Leave it out, or use the genuine plugin"
            )
    for name, check in CHECKS.items():
        if name not in found and not unknown(given.get(name)) and (problem := check(given)):
            found[name] = problem
    return found


def parse(given: Mapping[str, Plain]) -> ImageInputs:
    """Read inputs that `refusals` has nothing against, and of which all are known."""
    context, dockerfile = paths(given)
    platforms = _list(given.get("platforms"))
    return ImageInputs(
        tags=tuple(Tag.parse(str(tag)) for tag in _list(given.get("tags"))),
        context=context,
        dockerfile=dockerfile,
        build_args={name: str(value) for name, value in _map(given.get("buildArgs")).items()},
        platform=str(platforms[0]) if platforms else None,
        target=str(given["target"]) if given.get("target") else None,
        registries=registries(given),
    )


def paths(given: Mapping[str, Plain]) -> tuple[Path, Path]:
    """Give the context's folder and the Dockerfile; relative ones start at the engine's working folder."""
    context = Path(str(_map(given.get("context")).get("location") or "."))
    dockerfile = _map(given.get("dockerfile")).get("location")
    return context, Path(str(dockerfile)) if dockerfile else context / "Dockerfile"


def registries(given: Mapping[str, Plain]) -> tuple[Registry, ...]:
    """Give the registries to log in to."""
    entries = [_map(entry) for entry in _list(given.get("registries"))]
    return tuple(
        Registry(str(entry.get("address", "")), str(entry.get("username", "")), str(entry.get("password", "")))
        for entry in entries
    )


def _tags(given: Mapping[str, Plain]) -> str | None:
    tags = _list(given.get("tags"))
    try:
        for tag in tags:
            Tag.parse(str(tag))
    except InvalidTagError as error:
        return str(error)
    return None if tags else "is empty, so there is no name to push the image by. Give at least one"


def _context(given: Mapping[str, Plain]) -> str | None:
    if _map(given.get("context")).keys() - {"location"}:
        return "names further contexts, which the local stand-in of docker-build does not support. Leave them out"
    folder = paths(given)[0]
    return None if folder.is_dir() else f"is {str(folder)!r}, which is not a folder on this computer"


def _dockerfile(given: Mapping[str, Plain]) -> str | None:
    if _map(given.get("dockerfile")).keys() - {"location"}:
        return "is given inline, which the local stand-in of docker-build does not support. Give a file's location"
    if unknown(given.get("context")):
        return None
    file = paths(given)[1]
    return None if file.is_file() else f"is {str(file)!r}, which is not a file on this computer"


def _platforms(given: Mapping[str, Plain]) -> str | None:
    several = len(_list(given.get("platforms"))) > 1
    return "names several; the local stand-in of docker-build makes an image for one. Name one" if several else None


def _exports(given: Mapping[str, Plain]) -> str | None:
    """Take one export, to a registry. How it is compressed is the container engine's choice, which knows gzip alone."""
    exports = [_map(entry) for entry in _list(given.get("exports"))]
    pushed = [entry.keys() for entry in exports] == [{"registry"}] and _map(exports[0]["registry"]).get(
        "push"
    ) is not False
    return (
        None if pushed else "is not one registry; the local stand-in of docker-build only makes images that it pushes"
    )


CHECKS = {
    "tags": _tags,
    "context": _context,
    "dockerfile": _dockerfile,
    "platforms": _platforms,
    "exports": _exports,
}


def _list(value: Plain) -> Sequence[Plain]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _map(value: Plain) -> Mapping[str, Plain]:
    return value if isinstance(value, Mapping) else {}
