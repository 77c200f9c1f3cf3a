"""The Pulumi engine: the `pulumi` on PATH, else downloaded, else built from its Go modules. Kept in the cache folder.

`local/engine_build/` holds the module's requirements with their checksums for the preferred version, so that a build of
it is the same everywhere; other versions work theirs out anew.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local import leftovers, paths
from local.errors import LocalError
from local.process import follow, run, succeeds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Version = tuple[int, int, int]

PREFERRED: Version = (3, 259, 0)
OLDEST: Version = (3, 250, 0)
"""Nothing older was tried with the program."""
MODULE = "github.com/pulumi/pulumi/pkg/v3"
HOW_TO_INSTALL = "https://www.pulumi.com/docs/install/"
BUILD_FOLDER = Path(__file__).parent / "engine_build"
INSTALL_SECONDS = 300
ASK_SECONDS = 300
BUILD_SECONDS = 1800
# The download goes on in a process of its own, because the library's function knows no time limit.
INSTALL = """
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A `pulumi` program."""

    binary: Path
    version: str

    @property
    def folder(self) -> Path:
        """What to put on PATH."""
        return self.binary.parent


def prepare(say: Callable[[str], None], environ: Mapping[str, str] | None = None) -> Engine:
    """Find or make an engine. Seconds when repeated; downloading takes a minute, building several.

    Raises:
        LocalError: there is none, and it can be neither downloaded nor built here.

    """
    environ = os.environ if environ is None else environ
    if found := find(environ, say):
        return found
    folder = paths.make_cache_folder("engine", environ=environ)
    with paths.locked(folder / "lock", lambda: say("engine: another set-up is making it; waiting until that is done")):
        # What a set-up that was killed left behind: nobody else makes one while the lock is held.
        for left in folder.glob("new-*"):
            leftovers.remove(left)
        return _cached(folder) or _download(folder, say) or _build(folder, environ, say)


def find(environ: Mapping[str, str], say: Callable[[str], None] = lambda _line: None) -> Engine | None:
    """Find an engine that can be used as it is: the one on PATH, else one that was made before.

    Raises:
        LocalError: the one on PATH does not work.

    """
    on_path = shutil.which("pulumi", path=environ.get("PATH"))
    if on_path:
        version = parse_version(
            run([on_path, "version"], because="The pulumi on PATH does not work; repair or remove it.")
        )
        if fits(version):
            return Engine(binary=Path(on_path), version=text(version))
        say(f"engine: pulumi {text(version)} on PATH is not {text(OLDEST)} or newer (major version 3): not used")
    return _cached(paths.cache_folder(environ) / "engine")


def _cached(folder: Path) -> Engine | None:
    for version in candidates():
        binary = folder / text(version) / "bin" / "pulumi"
        if binary.exists():
            return Engine(binary=binary, version=text(version))
    return None


def go_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Give Go folders in our cache where there is no home that it could keep its own in."""
    home = environ.get("HOME")
    if home and os.access(home, os.W_OK | os.X_OK):
        return dict(environ)
    cache = paths.cache_folder(environ)
    return {"GOPATH": str(cache / "go"), "GOCACHE": str(cache / "go-build"), **environ}


def parse_version(output: str) -> Version:
    """Read what `pulumi version` prints.

    Raises:
        LocalError: it is not a version.

    """
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", output.strip())
    if not found:
        raise LocalError(
            f"`pulumi version` printed {output.strip()!r}, which is no version. Repair the pulumi on PATH."
        )
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def text(version: Version) -> str:
    """Write a version with dots."""
    return ".".join(map(str, version))


def fits(version: Version) -> bool:
    """Say whether the program works with this engine."""
    return version[0] == OLDEST[0] and version >= OLDEST


def candidates() -> tuple[Version, ...]:
    """List the versions to try, best first: module proxies do not serve every version."""
    major, newest, patch = PREFERRED
    return tuple((major, minor, patch) for minor in range(newest, OLDEST[1] - 1, -1))


def _download(folder: Path, say: Callable[[str], None]) -> Engine | None:
    version = text(PREFERRED)
    say(f"engine: asking for pulumi {version}")
    with tempfile.TemporaryDirectory(dir=folder, prefix="new-") as temporary:
        new = Path(temporary) / version
        if not succeeds([sys.executable, "-c", INSTALL, str(new), version], timeout_seconds=INSTALL_SECONDS):
            say("engine: it cannot be downloaded from here")
            return None
        new.rename(folder / version)
    return Engine(binary=folder / version / "bin" / "pulumi", version=version)


def _build(folder: Path, environ: Mapping[str, str], say: Callable[[str], None]) -> Engine:
    if shutil.which("go") is None:
        raise LocalError(
            "There is no pulumi on PATH, it cannot be downloaded from here, and building it needs Go, which is not "
            f"on PATH. Install pulumi {text(OLDEST)} or newer ({HOW_TO_INSTALL}), or Go (https://go.dev/dl/)."
        )
    for version in candidates():
        with tempfile.TemporaryDirectory(dir=folder, prefix="new-") as temporary:
            source = Path(temporary) / "source"
            shutil.copytree(BUILD_FOLDER, source)
            # Go's working files, 1.6 GB, are removed with the rest, also after a set-up that was killed.
            work = Path(temporary) / "work"
            work.mkdir()
            env = {**go_environment(environ), "GOTMPDIR": str(work)}
            ask = ["go", "mod", "download", f"{MODULE}@v{text(version)}"]
            if not succeeds(ask, timeout_seconds=ASK_SECONDS, cwd=source, env=env):
                say(f"engine: the Go module proxy does not serve pulumi {text(version)}")
                continue
            say(f"engine: building pulumi {text(version)} (3 to 10 minutes, once)")
            because = f"The engine could not be built. Install pulumi ({HOW_TO_INSTALL}) and run this again."
            if version != PREFERRED:
                require = f"-require={MODULE}@v{text(version)}"
                run(["go", "mod", "edit", require], because=because, cwd=source, env=env)
                follow(["go", "mod", "tidy"], say, because=because, cwd=source, env=env, timeout_seconds=BUILD_SECONDS)
            new = Path(temporary) / text(version)
            flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{text(version)}"
            # With -v it names each package when it is compiled.
            follow(
                ["go", "build", "-v", "-ldflags", flags, "-o", str(new / "bin" / "pulumi"), f"{MODULE}/cmd/pulumi"],
                say,
                because=because,
                cwd=source,
                env=env,
                timeout_seconds=BUILD_SECONDS,
            )
            new.rename(folder / text(version))
        return Engine(binary=folder / text(version) / "bin" / "pulumi", version=text(version))
    tried = f"{text(candidates()[0])} down to {text(candidates()[-1])}"
    raise LocalError(
        f"The Go module proxy serves none of pulumi {tried}. Can this machine reach it (go env GOPROXY)? Otherwise "
        f"install pulumi ({HOW_TO_INSTALL}) and run this again."
    )
