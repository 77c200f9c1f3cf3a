"""Archives as zips: the same bytes for the same content, wherever and whenever."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from local.errors import LocalError
from local.provider.aws.values import Archive, Asset

_ZIP_SUFFIXES = frozenset({".zip", ".jar"})
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MADE_ON_DOS = 0
"""With this a zip says nothing of file modes, of which Pulumi keeps none."""


def zipped(archive: Archive) -> bytes:
    """Give the archive as Lambda takes it; a zip file stays byte for byte what it is.

    Raises:
        LocalError: a part cannot be read here.

    """
    path = Path(archive.path)
    if archive.path and path.suffix in _ZIP_SUFFIXES and path.is_file():
        return _read(path)
    return packed(_members(archive))


def packed(members: dict[str, bytes]) -> bytes:
    """Pack files by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _MADE_ON_DOS
            target.writestr(entry, members[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _members(archive: Archive) -> dict[str, bytes]:
    if archive.members is not None:
        found: dict[str, bytes] = {}
        for name, member in archive.members.items():
            if isinstance(member, Asset):
                found[name] = content(name, member)
            else:
                found |= {f"{name}/{inner}": content for inner, content in _members(member).items()}
        return found
    if archive.path and Path(archive.path).is_dir():
        folder = Path(archive.path)
        files = [file for file in folder.rglob("*") if file.is_file()]
        return {file.relative_to(folder).as_posix(): _read(file) for file in files}
    if archive.path and Path(archive.path).suffix in _ZIP_SUFFIXES and Path(archive.path).is_file():
        with zipfile.ZipFile(archive.path) as source:
            return {entry.filename: source.read(entry) for entry in source.infolist() if not entry.is_dir()}
    where = archive.path or archive.uri
    raise LocalError(
        f"The archive {where!r} is neither a folder nor a .zip or .jar file here, and the local provider reads no "
        "others. Give the code as one of these, or as an AssetArchive."
    )


def content(name: str, asset: Asset) -> bytes:
    """Give a file's bytes.

    Raises:
        LocalError: it cannot be read here.

    """
    if asset.text is not None:
        return asset.text.encode()
    if asset.path:
        return _read(Path(asset.path))
    raise LocalError(
        f"The file {name!r} is at {asset.uri!r}, which the local provider does not fetch. "
        "Give it as a FileAsset or a StringAsset."
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LocalError(
            f"The file {str(path)!r} cannot be read ({error.strerror}). Is it where the program says?"
        ) from error
