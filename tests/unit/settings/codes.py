"""Code as people have it, in each family of runtimes: folders and archives below a project's folder."""

from __future__ import annotations

import io
import stat
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Contents = dict[str, bytes | int]
"""By name: a file's content, or the mode of one without content."""


def jar(*names: str) -> bytes:
    """Return a .jar file with these classes."""
    return archive(dict.fromkeys(("META-INF/MANIFEST.MF", *names), b""))


def archive(contents: Mapping[str, bytes | int], *, modes: bool = True) -> bytes:
    """Return a zip; without modes, as Windows writes one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name)
            mode = content if isinstance(content, int) else 0o644
            entry.external_attr = (stat.S_IFREG | mode) << 16 if modes else 0x20
            opened.writestr(entry, b"" if isinstance(content, int) else content)
    return buffer.getvalue()


def folder(path: Path, contents: Mapping[str, bytes | int]) -> None:
    """Write files into a folder."""
    for name, content in contents.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"" if isinstance(content, int) else content)
        file.chmod(content if isinstance(content, int) else 0o644)


FOLDERS: dict[str, Contents] = {
    "code": {"handler.py": b"def handler(event, context): ..."},
    "node": {"src/index.mjs": b"", "app.js": b"", "package.json": b"{}"},
    "typescript": {"index.ts": b""},
    "java": {"lib/report.jar": jar("example/Report.class", "example/Report$Part.class"), "lib/broken.jar": b"no jar"},
    "classes": {"example/Report.class": b"", "report.jar": jar("example/Other.class")},
    "dotnet": {"Reports.dll": b"", "Reports.deps.json": b"{}", "Reports.runtimeconfig.json": b"{}"},
    "library": {"Reports.dll": b"", "Reports.deps.json": b"{}"},
    "ruby": {"report.rb": b"", "lib/totals.rb": b""},
    "go": {"bootstrap": 0o755},
    "plain": {"bootstrap": 0o644},
    "main": {"main": 0o755},
}
ARCHIVES: dict[str, bytes] = {
    "code.zip": archive({"app/main.py": b""}),
    "report.jar": jar("example/Report.class"),
    "java.zip": archive({"./lib/report.jar": jar("example/Report.class")}),
    "go.zip": archive({"bootstrap": 0o755}),
    "plain.zip": archive({"bootstrap": 0o744}),
    "windows.zip": archive({"bootstrap": 0o755}, modes=False),
    "bundle": archive({"handler.py": b""}),
}


def make(root: Path) -> None:
    """Write all of them."""
    for name, contents in FOLDERS.items():
        folder(root / name, contents)
    for name, data in ARCHIVES.items():
        (root / name).write_bytes(data)
