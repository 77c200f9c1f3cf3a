"""A folder of code as a zip that keeps the files' executable bits, because Pulumi's own archives have no modes.

Pulumi compares archives by the hash of their bytes. The same files therefore give the same bytes, whoever packs them:
names are sorted, times are fixed, and of a file's mode only whether it is executable counts. Files are stored without
compression, because versions of zlib compress differently, unless the zip would be too large to upload.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import stat
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from overtime.settings.code import LARGEST_UPLOAD, is_executable, stored_size

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_PLAIN, _EXECUTABLE = 0o644, 0o755


def packed(members: Mapping[str, Path]) -> Path:
    """Return a zip of files by their names in it. It exists until this process ends."""
    folder = _folder()
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        _write(file, members)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Path(file.name).rename(folder / f"{digest}.zip")


@cache
def _folder() -> Path:
    # Private, and under a name that nobody can predict: others may write to the folder for temporary files, too.
    folder = tempfile.TemporaryDirectory(prefix="overtime-code-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _write(target: IO[bytes], members: Mapping[str, Path]) -> None:
    small = stored_size(members) <= LARGEST_UPLOAD
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED if small else zipfile.ZIP_DEFLATED) as archive:
        for name, source in sorted(members.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.compress_type = archive.compression
            entry.external_attr = (stat.S_IFREG | (_EXECUTABLE if is_executable(source) else _PLAIN)) << 16
            with source.open("rb") as content, archive.open(entry, "w") as member:
                shutil.copyfileobj(content, member)
