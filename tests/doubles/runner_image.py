"""The runner's image without an engine: what its Dockerfile copies, and what its build stage makes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "runner" / "Dockerfile").read_text(encoding="utf-8").replace("${PACKAGE}", "overtime")
SOURCES = "/src"
COPIES = tuple(
    (words[:-1], words[-1].removeprefix(SOURCES).strip("/"))
    for words in (line.split()[1:] for line in DOCKERFILE.splitlines() if line.startswith("COPY "))
    if not words[0].startswith("--")
)
"""Sources and target of each COPY from the build's context."""


def staged(folder: Path) -> Path:
    """Copy what the Dockerfile copies to where it copies it, below a folder."""
    for sources, target in COPIES:
        place = folder / target
        place.mkdir(parents=True, exist_ok=True)
        for source in sources:
            for file in ROOT.glob(source):
                shutil.copy(file, place)
    return folder


def build(
    sources: Path, target: Path, *, base_etc: Path, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Run the build stage with a Python of this machine."""
    command = [python, "-E", "-s", "-S", "-m", "overtime.runner.image", str(sources), str(base_etc), str(target)]
    return subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)


def portable(folder: Path) -> Path:
    """Make the runner's portable Python of this one in an empty folder, and return its place."""
    done = build(staged(folder / "src"), folder / "image", base_etc=folder)
    assert done.returncode == 0, done.stderr
    return folder / "image" / "runner"
