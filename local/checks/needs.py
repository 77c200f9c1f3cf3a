"""How much room the steps that are still to be done take, and which file systems have too little.

The figures were measured on Linux, x86_64, with empty caches; they are peaks, rounded up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.checks.facts import BUILDS, CACHE, MODULES, PROJECT, TEMPORARY, Facts

if TYPE_CHECKING:
    from collections.abc import Iterator

MB, GB = 10**6, 10**9
HOW_TO_INSTALL_PULUMI = "https://www.pulumi.com/docs/install/"
WAYS_OUT = {
    CACHE: "set XDG_CACHE_HOME",
    TEMPORARY: "set TMPDIR",
    MODULES: "set GOMODCACHE",
    BUILDS: "set GOCACHE",
    PROJECT: "move this project",
}


@dataclass(frozen=True, kw_only=True)
class Need:
    """Room that a step takes in a folder."""

    folder: str
    bytes: int
    use: str


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """A file system with too little room."""

    path: str
    free_bytes: int
    needed_bytes: int
    uses: tuple[str, ...]
    ways_out: tuple[str, ...]
    """What moves the folders that are on it elsewhere."""


def needs(facts: Facts) -> Iterator[Need]:
    """Say what the steps still to be done will write, and where."""
    if not facts.python.packages_are_ready:
        yield Need(folder=PROJECT, bytes=480 * MB, use="Python packages")
        yield Need(folder=CACHE, bytes=480 * MB, use="their downloads")
    if not facts.engine.is_there:
        if not facts.engine.download:
            yield Need(folder=CACHE, bytes=450 * MB, use="Pulumi engine")
            yield Need(folder=TEMPORARY, bytes=450 * MB, use="its download")
        else:
            yield Need(folder=CACHE, bytes=1900 * MB, use="building the Pulumi engine")
            yield Need(folder=MODULES, bytes=1450 * MB, use="its Go modules")
            yield Need(folder=BUILDS, bytes=1750 * MB, use="Go's build cache")
    containers, base = facts.containers, facts.base_image
    if not base.is_there and (base.registry or not (containers and containers.answering)):
        yield Need(folder=CACHE, bytes=650 * MB, use="base image")
    yield Need(folder=TEMPORARY, bytes=50 * MB, use="temporary files")


def shortages(facts: Facts) -> list[Shortage]:
    """List the file systems with too little room, each once, whichever folders are on it."""
    by_device: dict[int, list[Need]] = {}
    for need in needs(facts):
        folder = facts.folders.get(need.folder)
        if folder is not None and not folder.blocked_at:
            by_device.setdefault(folder.device, []).append(need)
    found: list[Shortage] = []
    for wanted in by_device.values():
        free = facts.folders[wanted[0].folder].free_bytes
        total = sum(need.bytes for need in wanted)
        if free < total:
            names = tuple(dict.fromkeys(need.folder for need in wanted))
            found.append(
                Shortage(
                    path=facts.folders[wanted[0].folder].path,
                    free_bytes=free,
                    needed_bytes=total,
                    uses=tuple(f"{need.use} {text(need.bytes)}" for need in wanted),
                    ways_out=tuple(WAYS_OUT[name] for name in names),
                )
            )
    return found


def text(size: int) -> str:
    """Write a number of bytes as people do."""
    return f"{size / GB:.1f} GB" if size >= GB else f"{size / MB:.0f} MB"
