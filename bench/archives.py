"""Archives of a function's code, small or with many files."""

from __future__ import annotations

import io
import random
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES, FILE_BYTES = 2_000, 10_000
"""Of a 20 MB archive."""


def filler(files: int) -> dict[str, bytes]:
    """Make so many files of about 10 KB packed, half code and half what does not shrink."""
    draw = random.Random(4)  # noqa: S311 -- figures that can be repeated, no secret
    sources = b"".join(path.read_bytes() for path in sorted(Path(sysconfig.get_path("stdlib")).glob("[a-m]*.py")))
    made = {}
    for number in range(files):
        at = draw.randrange(len(sources) - 2 * FILE_BYTES)
        content = draw.randbytes(FILE_BYTES // 2) + sources[at : at + 2 * FILE_BYTES]
        made[f"package{number % 40}/module{number}.bin"] = content
    return made


def packed(members: Mapping[str, bytes]) -> bytes:
    """Pack files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return data.getvalue()
