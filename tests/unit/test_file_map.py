"""The map of files in docs/architecture.md has every file of the product, and no other."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAPPED = ("components", "lambdas", "overtime", "runner")


def on_the_map() -> list[str]:
    """Read the files that the map names, by their paths."""
    section = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("\n## Files\n")[2]
    folder, found = "", []
    for line in section.partition("\n## ")[0].splitlines():
        first = line.removeprefix("| ").partition(" | ")[0]
        if named := re.fullmatch(r"in `(.+)`", first):
            folder = named[1]
        elif line.startswith("| `"):
            found += [folder + name for name in re.findall(r"`([^`]+)`", first)]
    return found


def in_the_tree() -> set[str]:
    """List the files, apart from those that describe a package and those that Python writes."""
    found = set()
    for top in MAPPED:
        for folder, folders, names in os.walk(ROOT / top):
            folders[:] = [name for name in folders if name != "__pycache__" and not (Path(folder) / name).is_symlink()]
            place = Path(folder).relative_to(ROOT)
            found |= {(place / name).as_posix() for name in names if name != "__init__.py"}
    return found


def test_every_file_has_its_line() -> None:
    """A new file is added to the map, and one that is gone is removed."""
    assert in_the_tree() - set(on_the_map()) == set()
    assert set(on_the_map()) - in_the_tree() == set()


def test_no_file_has_two_lines() -> None:
    """A file that belongs to two lines has two purposes."""
    assert len(on_the_map()) == len(set(on_the_map()))
