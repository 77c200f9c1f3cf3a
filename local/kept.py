"""The local stack that is kept running: where it is written down, and how it is taken down."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from local import containers, paths
from local.emulator.process import stop_process
from local.process import command_line

if TYPE_CHECKING:
    from pathlib import Path

FILE = "kept.json"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A running stack, as another process needs to know it."""

    emulator_pid: int
    endpoint: str
    folder: str


def folder() -> Path:
    """Name the folder of the one kept stack."""
    return paths.make_cache_folder("kept")


def write(kept: Kept) -> None:
    """Write it down."""
    (folder() / FILE).write_text(json.dumps(asdict(kept)), encoding="utf-8")


def read() -> Kept | None:
    """Find the kept stack; None where there is none, or its emulator has died."""
    try:
        kept = Kept(**json.loads((folder() / FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    return kept if _runs(kept.emulator_pid) else None


def take_down() -> bool:
    """Stop the emulator, and the container engine if it was started for it; say whether there was a stack.

    All that was deployed lived in the emulator's memory, so nothing has to be destroyed first.
    """
    kept = read()
    if kept is not None:
        stop_process(kept.emulator_pid)
    containers.release()
    shutil.rmtree(folder())
    return kept is not None


def _runs(pid: int) -> bool:
    """Say whether this process is an emulator of ours: its number may have gone to another since."""
    return "local.emulator.server" in command_line(pid)
