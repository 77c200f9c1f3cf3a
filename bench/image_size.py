"""How large the runner's images are, and how much of that the runner adds: compressed with gzip and with Zstandard."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tarfile
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from bench.images import RUNTIMES, runner_image, tell
from local.containers import container_engine
from local.process import run
from overtime.components.runner_image import COMPRESSION_LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.docker_daemon import ContainerEngine

TARGET_MB = 8.0
TARGET_GAIN = 0.1
MB = 1_000_000
GZIP = b"\x1f\x8b"
PUSH_LEVEL = 6
"""The engine compresses with gzip's usual level."""


@dataclass(frozen=True)
class Size:
    """Layers: bytes, and the seconds that inflating them takes."""

    unpacked: int = 0
    zipped: int = 0
    zstd: int = 0
    unzip_seconds: float = 0
    unzstd_seconds: float = 0

    def __add__(self, other: Size) -> Size:
        """Return the sum of both."""
        return Size(*(mine + others for mine, others in zip(vars(self).values(), vars(other).values(), strict=True)))


def main(arguments: Sequence[str] = ()) -> int:
    """Build the image of each family, print the table, and end with 1 where a target is missed."""
    argparse.ArgumentParser(prog="python -m bench.image_size", description=__doc__).parse_args(arguments)
    sizes = {}
    with container_engine(tell) as docker:
        for runtime in RUNTIMES:
            with runner_image(docker, runtime) as (base, image):
                sizes[runtime] = _measured(docker, base, image)
    print("\nimage: MB that runner/Dockerfile adds, MB of the whole image, and seconds to inflate the whole")
    head = ("runtime", "unpacked", "gzip", "zstd", "gzip", "zstd", "ratio", "gzip s", "zstd s", "ratio")
    print(f"{head[0]:18}" + "".join(f"{name:>9}" for name in head[1:]))
    for runtime, (added, whole) in sizes.items():
        figures = (
            *(each / MB for each in (added.unpacked, added.zipped, added.zstd, whole.zipped, whole.zstd)),
            whole.zstd / whole.zipped,
            *(whole.unzip_seconds, whole.unzstd_seconds, whole.unzstd_seconds / whole.unzip_seconds),
        )
        print(f"{runtime:18}" + "".join(f"{figure:>9.2f}" for figure in figures))
    small = max(added.zipped for added, _ in sizes.values()) <= TARGET_MB * MB
    worth = all(
        whole.zstd / whole.zipped + whole.unzstd_seconds / whole.unzip_seconds <= 2 * (1 - TARGET_GAIN)
        for _, whole in sizes.values()
    )
    print(f"added, with gzip: target ≤ {TARGET_MB:g} MB for each: {'met' if small else 'MISSED'}")
    print(f"Zstandard, size and inflating together: target ≥ {TARGET_GAIN:.0%} less: {'met' if worth else 'MISSED'}")
    return 0 if small and worth else 1


def _measured(docker: ContainerEngine, base: str, image: str) -> tuple[Size, Size]:
    """Measure the layers that the base does not have, and all layers."""
    own, known = (_layers(docker, reference) for reference in (image, base))
    if own[: len(known)] != known:
        raise SystemExit(f"{image} does not begin with the layers of {base}: nothing can be said of what it adds.")
    with tempfile.TemporaryDirectory(prefix="overtime-bench-") as folder:
        saved = Path(folder) / "image.tar"
        run(
            ["docker", "--host", docker.host, "save", "--output", str(saved), image],
            because="The image could not be saved; is the disk full?",
            timeout_seconds=300,
        )
        with tarfile.open(saved) as archive:
            manifest = json.loads(_member(archive, "manifest.json"))
            sizes = [_size(_member(archive, name)) for name in manifest[0]["Layers"]]
    added = sum(sizes[len(known) :], Size())
    return added, sum(sizes[: len(known)], added)


def _layers(docker: ContainerEngine, reference: str) -> list[str]:
    template = "{{json .RootFS.Layers}}"
    text = run(
        ["docker", "--host", docker.host, "image", "inspect", "--format", template, reference],
        because=f"The engine does not know {reference!r}.",
    )
    layers: list[str] = json.loads(text)
    return layers


def _size(data: bytes) -> Size:
    if data.startswith(GZIP):
        data = gzip.decompress(data)
    zipped = gzip.compress(data, PUSH_LEVEL)
    zstd = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(data)
    return Size(
        len(data),
        len(zipped),
        len(zstd),
        _seconds(lambda: zlib.decompress(zipped, wbits=31)),
        _seconds(lambda: zstandard.ZstdDecompressor().decompress(zstd)),
    )


def _seconds(act: Callable[[], object]) -> float:
    """Return the shortest of three times."""
    return min(_once(act) for _ in range(3))


def _once(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"the saved image has no {name!r}")
    return file.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
