"""What a build is made from: the hash by which a changed file is noticed."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

from local.provider.docker_build.dockerignore import IgnoreRules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def context_hash(context: Path, dockerfile: Path) -> str:
    """Name the content of a build: the Dockerfile, and each file of the context that .dockerignore leaves in.

    A file counts with its path, its mode and its bytes; the order in which a folder lists its files does not.
    """
    digest = hashlib.sha256(dockerfile.read_bytes())
    for path in context_files(context, dockerfile):
        file = context / path
        status = file.lstat()
        content = str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
        digest.update(f"\n{path}\n{stat.filemode(status.st_mode)}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def context_files(context: Path, dockerfile: Path) -> list[str]:
    """List the files and links that the build sees, relative to the context.

    As BuildKit does: the rules beside the Dockerfile, if there are any, replace those of the context. Docker without
    BuildKit does not know them and sends more files, which makes no other image unless the Dockerfile copies them.
    """
    places = (dockerfile.with_name(f"{dockerfile.name}.dockerignore"), context / ".dockerignore")
    found = next((place.read_text(encoding="utf-8") for place in places if place.exists()), "")
    rules = IgnoreRules.parse(found)
    return sorted(_files(context, "", rules))


def _files(folder: Path, prefix: str, rules: IgnoreRules) -> Iterator[str]:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir() and not entry.is_symlink():
            if not rules.hides(path):
                yield from _files(entry, f"{path}/", rules)
        elif (entry.is_file() or entry.is_symlink()) and not rules.excludes(path):
            yield path
