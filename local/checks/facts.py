"""What is known of this computer before the set-up begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.docker_socket import Answer

CACHE, PROJECT, TEMPORARY, MODULES, BUILDS = "cache", "project", "temporary", "go modules", "go builds"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder that the set-up writes to."""

    path: str
    blocked_at: str = ""
    """The path, this one or one above or below it, that this user cannot write; empty where all is well."""
    owner: str = ""
    """Whose that path is, where it is another user's."""
    device: int = 0
    free_bytes: int = 0
    may_execute: bool = True
    """False on a file system that is mounted `noexec`."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Who asks, and what there is."""

    user_id: int
    user_name: str
    has_apt: bool
    may_mount: bool
    """Root in a container often may not; a container engine must."""
    tools: frozenset[str]
    """Those of the programs asked for that are on PATH."""


@dataclass(frozen=True, kw_only=True)
class Python:
    """The interpreter that was found, and the packages."""

    command: str
    version: str
    has_venv: bool
    packages_are_ready: bool
    broken: bool = False
    """`.venv` is there, but its interpreter does not run."""
    index: str = ""
    """Why the package index cannot be reached; empty where it can, or need not be."""


@dataclass(frozen=True, kw_only=True)
class Containers:
    """Whom we asked for a container engine."""

    named: str = ""
    """DOCKER_HOST."""
    asked: tuple[Answer, ...] = ()
    answering: str = ""
    """The engine that will be used."""
    apart: bool = False
    """Its containers have a network of their own (a rootless engine)."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The Pulumi engine: whether it is there, else how it could be had."""

    is_there: bool
    broken: str = ""
    """What is wrong with the pulumi on PATH, where that does not work."""
    download: str = ""
    """Why it cannot be downloaded."""
    go: str = ""
    """Go's version, as in `1.26.8`; empty where there is no Go."""
    proxy: str = ""
    """Why Go's module proxy cannot be reached."""


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """The runner's base image: whether it is there, else how it could be had."""

    is_there: bool
    registry: str = ""
    """Why AWS's registry cannot be reached."""
    mirror: str = ""
    """Why the Debian mirror cannot be reached."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All of it."""

    machine: Machine
    python: Python
    engine: Engine
    base_image: BaseImage
    containers: Containers | None = None
    """None where they are not wanted."""
    folders: Mapping[str, Folder] = field(default_factory=dict)
    """By use."""
    homeless: bool = False
    """There is no cache folder, because this user has no home."""
