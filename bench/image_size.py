"""How much the runner's image adds to its base image: the layers beyond the base's, compressed as a push does it."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from local import base_images
from local.containers import container_engine
from local.process import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.docker_daemon import ContainerEngine

ROOT = Path(__file__).resolve().parents[1]
TARGET_MB = 8.0
MB = 1_000_000
TAG = "overtime-bench-image-size"
GZIP = b"\x1f\x8b"
PUSH_LEVEL = 6
"""The engine compresses with gzip's usual level."""


def main(arguments: Sequence[str] = ()) -> int:
    """Build the image, print the table, and end with 1 where the target is missed."""
    argparse.ArgumentParser(prog="python -m bench.image_size", description=__doc__).parse_args(arguments)
    with container_engine(_tell) as docker:
        base = base_images.prepare(docker.host, _tell).reference
        sizes = _added_layers(docker, base)
    total = sum(compressed for _, compressed in sizes) / MB
    print(f"\nimage: what runner/Dockerfile adds to {base}")
    print(f"{'layer':>5}{'unpacked kB':>14}{'compressed kB':>16}")
    for number, (unpacked, compressed) in enumerate(sizes, 1):
        print(f"{number:>5}{unpacked / 1000:>14.1f}{compressed / 1000:>16.1f}")
    met = total <= TARGET_MB
    print(f"together {total:.3f} MB compressed; target ≤ {TARGET_MB:g} MB: {'met' if met else 'MISSED'}")
    return 0 if met else 1


def _added_layers(docker: ContainerEngine, base: str) -> list[tuple[int, int]]:
    """Build, and return the unpacked and the compressed bytes of each layer that the base does not have."""
    command = ["docker", "--host", docker.host]
    run(
        [
            *command,
            "build",
            "--quiet",
            *(["--network=host"] if docker.ours else []),
            *("--build-arg", f"BASE_IMAGE={base}", "--build-arg", f"PYTHON_IMAGE={base}"),
            *("--file", str(ROOT / "runner" / "Dockerfile"), "--tag", TAG),
            str(ROOT),
        ],
        because="The runner's image could not be built; its Dockerfile says what it needs.",
        timeout_seconds=300,
    )
    try:
        own, known = (_layers(docker, reference) for reference in (TAG, base))
        if own[: len(known)] != known:
            raise SystemExit(f"{TAG} does not begin with the layers of {base}: nothing can be said of what it adds.")
        with tempfile.TemporaryDirectory(prefix="overtime-bench-") as folder:
            saved = Path(folder) / "image.tar"
            run(
                [*command, "save", "--output", str(saved), TAG],
                because="The image could not be saved; is the disk full?",
                timeout_seconds=300,
            )
            return _sizes(saved, len(known))
    finally:
        run([*command, "image", "rm", TAG], because="The bench's own tag could not be removed.")


def _layers(docker: ContainerEngine, reference: str) -> list[str]:
    template = "{{json .RootFS.Layers}}"
    text = run(
        ["docker", "--host", docker.host, "image", "inspect", "--format", template, reference],
        because=f"The engine does not know {reference!r}.",
    )
    layers: list[str] = json.loads(text)
    return layers


def _sizes(saved: Path, known: int) -> list[tuple[int, int]]:
    sizes = []
    with tarfile.open(saved) as archive:
        manifest = json.loads(_member(archive, "manifest.json"))
        for name in manifest[0]["Layers"][known:]:
            data = _member(archive, name)
            if data.startswith(GZIP):
                sizes.append((len(gzip.decompress(data)), len(data)))
            else:
                sizes.append((len(data), len(gzip.compress(data, PUSH_LEVEL))))
    return sizes


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"the saved image has no {name!r}")
    return file.read()


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
