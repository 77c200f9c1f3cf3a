"""What base images are made with: kept folders, packages of pip's, programs of this computer."""

from __future__ import annotations

import hashlib
import shutil
import sys
from typing import TYPE_CHECKING

from local import apt, leftovers, paths
from local.base_images.store import FOLDER
from local.errors import LocalError
from local.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from local.base_images.store import Say

PIP_SECONDS = 600


def kept(name: str, content: str, fill: Callable[[Path], None], say: Say) -> Path:
    """Return a folder of the cache; `fill` puts everything into it if it is not there yet.

    `content` is all that the folder depends on: another content has another folder.
    """
    parent = paths.make_cache_folder(FOLDER)
    folder = parent / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    with paths.locked(parent / f"{name}.lock", lambda: say(f"{name}: another set-up is making it; waiting for that")):
        if not folder.exists():
            new = parent / f"new-{folder.name}"
            leftovers.remove(new)
            new.mkdir()
            fill(new)
            new.rename(folder)
    return folder


def pip_install(requirements: str, folder: Path) -> None:
    """Install packages, with hashes, into a folder, with this machine's own pip configuration.

    Raises:
        LocalError: pip cannot install them.

    """
    file = folder / "requirements.txt"
    file.write_text(requirements, encoding="utf-8")
    run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--require-hashes", "--only-binary=:all:", "--no-deps"),
            *("--target", str(folder), "--requirement", str(file)),
        ],
        because="The base image needs it; can pip reach its index, and has that the package for this kind of computer?",
        timeout_seconds=PIP_SECONDS,
    )


def need(programs: Mapping[str, str], say: Say, *, because: str) -> None:
    """Install the programs that this computer lacks, with apt; `programs` names Debian's package of each.

    Raises:
        LocalError: some are missing and cannot be installed here.

    """
    missing = [name for name in programs if shutil.which(name) is None]
    if not missing:
        return
    packages = [programs[name] for name in missing]
    advice = f"Install them (apt-get install {' '.join(packages)})."
    if not apt.available():
        raise LocalError(f"These programs are missing: {', '.join(missing)}. {because} {advice}")
    say(f"base image: installing {', '.join(packages)}")
    apt.install(packages, say, because=f"{because} Repair apt-get, or install them yourself.")
