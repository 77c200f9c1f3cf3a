"""`python -m local.packages`: make .venv with exactly what requirements.lock names. Runs without any package."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from local import apt, paths
from local.checks.gather import gather
from local.checks.packages import are_ready
from local.checks.problems import problems
from local.checks.report import report
from local.errors import LocalError
from local.process import follow, run, succeeds
from local.telling import reported, say

if TYPE_CHECKING:
    from pathlib import Path

    from local.process import Say
    from overtime.progress import Reporter

SECONDS = 1800


def main() -> int:
    """Check what installing needs, then install; nothing happens where it is done already."""
    try:
        # The folder itself is the lock, because it is there in every checkout.
        waiting = "packages: another set-up installs them; waiting until that is done"
        with paths.locked(paths.REPOSITORY, lambda: say(waiting)):
            found = [] if are_ready(paths.REPOSITORY) else problems(gather(os.environ, packages_only=True))
            if not found and not are_ready(paths.REPOSITORY):
                return reported("packages", _install)
    except LocalError as error:
        sys.stderr.write(f"overtime: {error}\n")
        return 1
    if found:
        sys.stderr.write(f"overtime: {report(found)}\n")
    return 1 if found else 0


def _install(report: Reporter) -> int:
    with report.phase("packages") as phase:
        _make(paths.REPOSITORY, phase)
        phase.summary = "installed in .venv"
    return 0


def _make(project: Path, say: Say) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        say("packages: installing python3-venv")
        apt.install(["python3-venv"], say, because="Python's venv module could not be installed. Repair apt-get.")
    say("packages: installing what requirements.lock names (about a minute)")
    venv, lock = project / ".venv", project / "requirements.lock"
    run(
        [sys.executable, "-m", "venv", "--clear", str(venv)],
        because="The virtual environment .venv could not be made.",
        timeout_seconds=SECONDS,
    )
    python = str(venv / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes", "--requirement"]
    because = "The Python packages could not be installed; can pip reach its index? Then run make again."
    # uv takes seconds where pip takes a minute, but does not read pip's configuration: where it cannot reach an index,
    # pip does it all.
    uv = venv / "uv.lock"
    uv.write_text(only("uv", lock.read_text(encoding="utf-8")), encoding="utf-8")
    sync = [str(venv / "bin" / "uv"), "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock)]
    if not (succeeds([*pip, str(uv)], timeout_seconds=SECONDS) and succeeds(sync, timeout_seconds=SECONDS)):
        follow([*pip, str(lock)], say, because=because, timeout_seconds=SECONDS)
    (venv / ".ready").touch()


def only(name: str, lock: str) -> str:
    """Take one package's lines, with its hashes, out of a lock."""
    wanted, lines = False, []
    for line in lock.splitlines(keepends=True):
        if not line[0].isspace():
            wanted = line.startswith(f"{name}==")
        if wanted:
            lines.append(line)
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
