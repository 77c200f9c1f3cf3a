"""Archives of code that change only when the code changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

import overtime
from overtime.components import code_zip
from overtime.settings.code import files, is_executable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PACKAGE", "SOURCES", "code", "file", "files", "of_files"]

PACKAGE = Path(overtime.__file__).resolve().parent
"""The folder of the package `overtime`; in a clone, `components`, `lambdas` and `runner` in it are links."""
SOURCES = Path(__file__).resolve().parents[1]
"""The folder that contains `components/`, `lambdas/` and `runner/`: a clone's root, or the installed package itself."""


def code(path: Path) -> pulumi.Archive:
    """Return a function's code as an archive for Lambda: a zip as it is, a folder without caches and tools' files.

    The engine repacks a `.jar` file as a zip, with the same members.
    """
    if path.is_file():
        return pulumi.FileArchive(str(path))
    members = _members(path)
    if any(map(is_executable, members.values())):
        return pulumi.FileArchive(str(code_zip.packed(members)))
    return of_files(members)


def file(path: Path) -> Path:
    """Return a function's code as a zip on disk: a zip as it is, a folder packed, without caches and tools' files."""
    return path if path.is_file() else code_zip.packed(_members(path))


def _members(folder: Path) -> dict[str, Path]:
    return {each.relative_to(folder).as_posix(): each for each in files(folder, "*")}


def of_files(members: Mapping[str, Path], texts: Mapping[str, str] | None = None) -> pulumi.Archive:
    """Return an archive of files by their names in it; `texts` are additional files by name and content."""
    assets: dict[str, pulumi.Asset | pulumi.Archive] = {
        Path(name).as_posix(): pulumi.FileAsset(str(path)) for name, path in members.items()
    }
    assets |= {name: pulumi.StringAsset(text) for name, text in (texts or {}).items()}
    return pulumi.AssetArchive({name: assets[name] for name in sorted(assets)})
