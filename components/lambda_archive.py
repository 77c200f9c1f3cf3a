"""The archives of dispatcher and watcher: sources, and libraries in exactly the versions of `requirements.lock`."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from overtime.components.archives import PACKAGE, files
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = PACKAGE / "lambdas" / "requirements.lock"
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
_KEPT_METADATA = ("METADATA", "LICENSE", "LICENCE", "NOTICE")


class LambdaArchiveError(OvertimeError):
    """An archive cannot be built from the installed packages."""


def members(part: str) -> dict[str, Path]:
    """Return the files of `dispatcher` or `watcher` by their names in the archive. Raise `LambdaArchiveError`."""
    found = {f"{PACKAGE.name}/{file.relative_to(PACKAGE).as_posix()}": file for file in _sources(part)}
    for name, version in _PINNED.findall(LOCK.read_text(encoding="utf-8")):
        found |= _library(name, version)
    return found


def _sources(part: str) -> Iterator[Path]:
    for file in ("__init__.py", "errors.py", "lambdas/__init__.py"):
        yield PACKAGE / file
    for folder in ("contract", "ledger", f"lambdas/{part}"):
        yield from files(PACKAGE / folder, "*.py")


def _library(name: str, version: str) -> dict[str, Path]:
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        raise LambdaArchiveError(_mismatch(name, version, "it is not installed")) from None
    if installed.version != version:
        raise LambdaArchiveError(_mismatch(name, version, f"version {installed.version!r} is installed"))
    if installed.files is None:
        raise LambdaArchiveError(_mismatch(name, version, "its installation does not list its files"))
    return _code_of(installed)


def _code_of(installed: Distribution) -> dict[str, Path]:
    wanted = {}
    for file in installed.files or []:
        where = installed.locate_file(file)
        metadata = file.parts[0].endswith(".dist-info")
        code = file.suffix in {".py", ".json"} or file.name == "py.typed"
        kept = file.name.startswith(_KEPT_METADATA) if metadata else code
        if kept and ".." not in file.parts and "__pycache__" not in file.parts:
            wanted[file.as_posix()] = Path(str(where))
    return wanted


def _mismatch(name: str, version: str, found: str) -> str:
    return (
        f"Dispatcher and watcher are deployed with {name!r} {version}, the version they are tested with, but {found} "
        f"in the environment that runs this program. Install the project's requirements there: "
        f"`uv pip sync requirements.lock`, or `pip install {name}=={version}`."
    )
