"""A function's code on disk: its files, its modules, and the sizes that Lambda limits."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
import zlib
from contextlib import suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from overtime.contract.runtimes import Runtime

MEGABYTE = 1024 * 1024
LARGEST_UPLOAD = 50 * MEGABYTE
"""In bytes, zipped, in the request that creates a function; larger archives go through S3: "Deployment package (.zip
file archive) size" in https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
LARGEST_UNPACKED = 250 * MEGABYTE
"""In bytes, unzipped, including layers; same source."""

_NOT_CODE = frozenset({"__pycache__", ".DS_Store", ".git"})
_CHUNK_BYTES = MEGABYTE
_SURELY = 0.9
"""The part of the limit up to which a folder is sure to fit: what packs it later may compress less than this zlib."""
# What a zip archive adds to its members' data: for each, a local header, a data descriptor and a directory entry, with
# its name in two of them; and the end of the directory.
_MEMBER_BYTES, _END_BYTES = 30 + 16 + 46, 22


def files(folder: Path, *patterns: str) -> list[Path]:
    """Return the sorted files below a folder whose names match any pattern, without caches and other tools' files.

    Links to folders are followed, because Lambda's archive contains the files instead of the link.
    """
    return sorted(
        path for path, is_file in _below(folder, ()) if is_file and any(path.match(pattern) for pattern in patterns)
    )


def exists(code: Path) -> bool:
    """Return whether the path is a folder or a zip."""
    try:
        return code.is_dir() or (code.is_file() and zipfile.is_zipfile(code))
    except OSError:  # for example a name that is too long, or a folder without permission to enter it
        return False


def fault(code: Path) -> str | None:
    """Return why the code cannot be deployed completely, None if it can."""
    if code.is_dir():
        return _fault_of_folder(code)
    try:
        _members(code)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, OSError) as error:
        return f"its list of files cannot be read ({error}). Create the zip again"
    return None


def _fault_of_folder(code: Path) -> str | None:
    try:
        found = sorted((path.relative_to(code).as_posix(), is_file) for path, is_file in _below(code, ()))
    except PermissionError as error:
        return f"you may not read {error.filename!r}. Change its permissions"
    for name, is_file in found:
        if not is_file:
            return f"{name!r} is a broken link, or a link to a folder that contains it. Remove it or change its target"
        if name != name.encode(errors="replace").decode():
            return f"the name of {name!r} is not in UTF-8. Rename it"
        if not os.access(code / name, os.R_OK):
            return f"you may not read {name!r}. Change its permissions"
    return None


def names(code: Path) -> list[str]:
    """Return the paths of all files in the code."""
    return [file.relative_to(code).as_posix() for file in files(code, "*")] if code.is_dir() else _members(code)


def holds(code: Path, module: str, runtime: Runtime) -> bool:
    """Return whether the code contains the handler's module in any form that the runtime loads."""
    handler, found = runtime.family.handler, names(code)
    wanted = {f"{module}{end}" for end in runtime.modules}
    if not wanted.isdisjoint(found):
        return True
    if handler.compiled and any(name.startswith(f"{module}.") and name.endswith(handler.compiled) for name in found):
        return True
    return bool(handler.libraries) and any(not wanted.isdisjoint(jar) for jar in _jars(code, handler.libraries))


def some_module(code: Path, runtime: Runtime, like: str) -> str:
    """Return a module of the code that a handler may name: one called as in `like`, or the first; empty if none."""
    handler = runtime.family.handler
    found = names(code)
    if handler.libraries:
        found += [name for jar in _jars(code, handler.libraries) for name in jar if not name.startswith("META-INF/")]
    else:
        found = [name for name in found if "/" not in name]
    usual = handler.beside[-1] if handler.beside else handler.modules[0]
    modules = sorted(name.removesuffix(usual) for name in found if name.endswith(usual) and "$" not in name)
    named = like.rpartition("/")[2]
    return min(modules, key=lambda module: module.rpartition("/")[2] != named, default="")


def executable(code: Path, name: str) -> bool | None:
    """Return whether a file of the code can be executed once it is deployed; `None` if there is no such file."""
    if code.is_dir():
        file = code / name
        return is_executable(file) if file.is_file() else None
    with zipfile.ZipFile(code) as archive:
        found = [entry for entry in archive.infolist() if not entry.is_dir() and _path(entry.filename) == name]
    # Lambda runs the code as a user who owns none of its files.
    return bool(found[-1].external_attr >> 16 & stat.S_IXOTH) if found else None


def _jars(code: Path, folder: str) -> Iterator[list[str]]:
    """Yield the names in each .jar file directly in a folder of the code; a damaged one has none."""
    jar = re.compile(rf"{re.escape(folder)}[^/]+\.jar")
    if code.is_dir():
        for file in sorted((code / folder).glob("*.jar")):
            with suppress(zipfile.BadZipFile, OSError):
                yield _members(file)
        return
    with zipfile.ZipFile(code) as archive:
        for entry in archive.infolist():
            if jar.fullmatch(_path(entry.filename)):
                with suppress(zipfile.BadZipFile):
                    yield _members(io.BytesIO(archive.read(entry)))


def unpacked_size(code: Path) -> int:
    """Return the total size of all files in bytes."""
    if code.is_dir():
        return sum(file.stat().st_size for file in files(code, "*"))
    with zipfile.ZipFile(code) as archive:
        return sum(member.file_size for member in archive.infolist())


def fits_request(code: Path) -> bool:
    """Return whether the code can be deployed in a request to Lambda; otherwise it has to go through S3.

    A large folder has to be compressed to find out, which takes time.
    """
    if not code.is_dir():
        return code.stat().st_size <= LARGEST_UPLOAD
    members, most = {file.relative_to(code).as_posix(): file for file in files(code, "*")}, LARGEST_UPLOAD * _SURELY
    return stored_size(members) <= most or zipped_size(members) <= most


def zipped_size(members: Mapping[str, Path]) -> int:
    """Return the size in bytes of a zip with these files by name, compressed."""
    return _around(members) + sum(deflated_size(_chunks(file)) for file in members.values())


def stored_size(members: Mapping[str, Path]) -> int:
    """Return the size in bytes of a zip with these files by name, without compression."""
    return _around(members) + sum(file.stat().st_size for file in members.values())


def _around(names: Iterable[str]) -> int:
    return _END_BYTES + sum(_MEMBER_BYTES + 2 * len(name.encode()) for name in names)


def is_executable(file: Path) -> bool:
    """Return whether the file's owner may execute it."""
    return bool(file.stat().st_mode & stat.S_IXUSR)


def deflated_size(chunks: Iterable[bytes]) -> int:
    """Return the size in bytes of a stream compressed as in a zip archive."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return sum(len(packer.compress(chunk)) for chunk in chunks) + len(packer.flush())


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _below(folder: Path, above: tuple[Path, ...]) -> Iterator[tuple[Path, bool]]:
    """Yield every file below a folder with True, and every broken or circular link with False."""
    above = (*above, folder.resolve())
    for path in folder.iterdir():
        if path.name in _NOT_CODE:
            continue
        if not path.is_dir():
            if path.is_file() or path.is_symlink():
                yield path, path.is_file()
        elif path.resolve() in above:
            yield path, False
        else:
            yield from _below(path, above)


def _members(code: Path | IO[bytes]) -> list[str]:
    with zipfile.ZipFile(code) as archive:
        return [_path(entry.filename) for entry in archive.infolist() if not entry.is_dir()]


def _path(name: str) -> str:
    # Once Lambda has unpacked it: `zip -r code.zip ./app.py` and some build tools keep the dot.
    return "/".join(part for part in name.split("/") if part not in ("", "."))
