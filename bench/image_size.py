"""How much the runner's image adds to each base image: the layers beyond the base's, compressed as a push does it."""

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
from overtime.contract.runtimes import PYTHON, RUNTIMES

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
    """Build the images, print the table, and end with 1 where the target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.image_size", description=__doc__)
    parser.add_argument("runtimes", nargs="*", help="those of the images (one of each family that can be built here)")
    runtimes = parser.parse_args(arguments).runtimes or [base_images.DEFAULT, *_of_other_families()]
    print(f"{'runtime':18}{'base image':44}{'layers':>8}{'unpacked MB':>13}{'compressed MB':>15}")
    most = 0.0
    with container_engine(_tell) as docker:
        python = base_images.prepare(docker.host, _tell).reference
        for runtime in runtimes:
            base = base_images.prepare(docker.host, _tell, runtime).reference
            sizes = _added_layers(docker, base, python)
            unpacked, compressed = (sum(size) / MB for size in zip(*sizes, strict=True))
            print(f"{runtime:18}{base:44}{len(sizes):>8}{unpacked:>13.1f}{compressed:>15.3f}")
            most = max(most, compressed)
    met = most <= TARGET_MB
    print(f"target ≤ {TARGET_MB:g} MB compressed over any base image: {'met' if met else 'MISSED'}")
    return 0 if met else 1


def _of_other_families() -> list[str]:
    """Return one runtime of each family besides Python whose base image can be had here."""
    known = [RUNTIMES[name] for name in base_images.RECIPES]
    return list({runtime.family.name: runtime.name for runtime in known if runtime.family is not PYTHON}.values())


def _added_layers(docker: ContainerEngine, base: str, python: str) -> list[tuple[int, int]]:
    """Build, and return the unpacked and the compressed bytes of each layer that the base does not have."""
    command = ["docker", "--host", docker.host]
    run(
        [
            *command,
            "build",
            "--quiet",
            *(["--network=host"] if docker.ours else []),
            *("--build-arg", f"BASE_IMAGE={base}", "--build-arg", f"PYTHON_IMAGE={python}"),
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
