"""The image that the runner is built on: AWS's own where it can be pulled, else one made of Debian packages.

The Debian one (`overtime-base:bookworm-py3.11`) offers what the runner needs of AWS's: a Python, CA certificates, and
awslambdaric and boto3 in the versions of requirements.lock. It is kept as a tar in the cache folder; to try AWS's image
again, remove that tar and the image.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local import apt, apt_sources, leftovers, paths
from local.errors import LocalError
from local.process import follow, run, succeeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AWS_REPOSITORY = "public.ecr.aws/lambda/python"
SUITE, SUITE_PYTHON = "bookworm", "3.11"
LOCAL_TAG = f"overtime-base:{SUITE}-py{SUITE_PYTHON}"
RECIPE_LABEL = "overtime.recipe"
DEBIAN_PACKAGES = ("python3", "ca-certificates")
PYTHON_PACKAGES = (
    "awslambdaric",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
)
SITE = f"usr/local/lib/python{SUITE_PYTHON}/dist-packages"
UNNEEDED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/lib/apt/lists",
    "var/cache/apt",
)
# As AWS's image sets them, so far as they can be true of another image.
CONFIG = (
    "ENV LANG=C.UTF-8",
    "ENV LAMBDA_TASK_ROOT=/var/task",
    "ENV LAMBDA_RUNTIME_DIR=/var/runtime",
    "WORKDIR /var/task",
)
REACHABLE_SECONDS = 15
PULL_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """What to give the runner's Dockerfile as `BASE_IMAGE`."""

    reference: str
    python: str
    """Python version inside, as in `3.11`."""


_LOCAL = BaseImage(reference=LOCAL_TAG, python=SUITE_PYTHON)


def prepare(docker_host: str, say: Callable[[str], None], *, python: str = SUITE_PYTHON) -> BaseImage:
    """Put a base image for the runner into the engine at `docker_host` and name it. Seconds when repeated.

    Raises:
        LocalError: AWS's image cannot be pulled, and none can be made here.

    """
    if found := found_in(docker_host, python=python):
        return found
    folder = paths.make_cache_folder("base-image")
    kept = kept_file(folder)
    with paths.locked(folder / "lock", lambda: say("base image: another set-up is making it; waiting for that")):
        # What a set-up that was killed left behind: nobody else makes one while the lock is held.
        for left in folder.glob("root-*"):
            leftovers.remove(left)
        if kept.exists():
            say(f"base image: loading {LOCAL_TAG} from the cache")
        elif _pull(docker_host, f"{AWS_REPOSITORY}:{python}", say):
            return _aws(python)
        else:
            _make(docker_host, kept, say)
    run(
        ["docker", "--host", docker_host, "load", "--quiet", "--input", str(kept)],
        because=f"The base image could not be loaded; if the file is broken, remove {str(kept)!r}.",
        timeout_seconds=300,
    )
    return _LOCAL


def found_in(docker_host: str, *, python: str = SUITE_PYTHON) -> BaseImage | None:
    """Find a base image that the engine has already."""
    if _label(docker_host, _aws(python).reference) is not None:
        return _aws(python)
    return _LOCAL if _label(docker_host, LOCAL_TAG) == recipe(_lock()) else None


def kept_file(folder: Path) -> Path:
    """Name the file in which the Debian image of today's requirements.lock is kept."""
    return folder / f"{SUITE}-py{SUITE_PYTHON}-{recipe(_lock())}.tar"


def _aws(python: str) -> BaseImage:
    return BaseImage(reference=f"{AWS_REPOSITORY}:{python}", python=python)


def _lock() -> str:
    return (paths.REPOSITORY / "requirements.lock").read_text()


def recipe(lock: str) -> str:
    """Give what goes into the Debian image a short name, so that an image made another way is not taken for it."""
    parts = (*DEBIAN_PACKAGES, *CONFIG, *UNNEEDED, locked_packages(lock))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def locked_packages(lock: str) -> str:
    """Take the lines of the image's Python packages, with versions and hashes, out of requirements.lock.

    Raises:
        LocalError: the lock does not name one of them.

    """
    lines: list[str] = []
    found: set[str] = set()
    wanted = False
    for line in lock.splitlines():
        if line and not line[0].isspace():
            name = line.partition("==")[0]
            wanted = name in PYTHON_PACKAGES
            found.add(name)
        if wanted and not line.lstrip().startswith("#"):
            lines.append(line)
    if missing := [name for name in PYTHON_PACKAGES if name not in found]:
        raise LocalError(f"requirements.lock does not name {missing!r}, which the base image needs. Run: make lock")
    return "\n".join(lines) + "\n"


def _label(docker_host: str, reference: str) -> str | None:
    """Read the recipe label of an image in the engine; None when the image is not there."""
    template = f'{{{{index .Config.Labels "{RECIPE_LABEL}"}}}}'
    command = ["docker", "--host", docker_host, "image", "inspect", "--format", template, reference]
    try:
        return run(command, because="").strip()
    except LocalError:
        return None


def _pull(docker_host: str, reference: str, say: Callable[[str], None]) -> bool:
    say(f"base image: asking for {reference}")
    docker = ["docker", "--host", docker_host]
    # The manifest first: it is small, so an unreachable registry costs seconds, and a slow pull is still waited for.
    if not succeeds([*docker, "manifest", "inspect", reference], timeout_seconds=REACHABLE_SECONDS):
        say(f"base image: {reference} cannot be reached from here")
        return False
    say(f"base image: pulling {reference}")
    return succeeds([*docker, "pull", "--quiet", reference], timeout_seconds=PULL_SECONDS)


def _make(docker_host: str, kept: Path, say: Callable[[str], None]) -> None:
    if shutil.which("debootstrap") is None and apt.available():
        say("base image: installing debootstrap")
        apt.install(
            ["debootstrap"], say, because="The base image needs debootstrap. Repair apt-get, or install it yourself."
        )
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise LocalError(
            f"No base image for the runner: {AWS_REPOSITORY} cannot be pulled, and making one of Debian packages needs "
            f"root (user id is {os.geteuid()}) and debootstrap ({shutil.which('debootstrap') or 'not installed'}). "
            f"Give the container engine access to {AWS_REPOSITORY.partition('/')[0]}, or run this once as root on "
            "Debian or Ubuntu with debootstrap installed (apt-get install debootstrap)."
        )
    say(f"base image: making {LOCAL_TAG} from Debian packages (about a minute, once)")
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="root-") as temporary, _ordinary_modes():
        root = Path(temporary) / "root"
        _bootstrap(root, say)
        say("base image: installing its Python packages")
        _install_python_packages(root)
        say("base image: packing it")
        for name in UNNEEDED:
            shutil.rmtree(root / name, ignore_errors=True)
        for name in ("var/task", "var/runtime", "opt", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial"):
            (root / name).mkdir(parents=True, exist_ok=True)
        rootfs = Path(temporary) / "root.tar"
        because = "The base image could not be packed; is the disk full?"
        run(["tar", "-C", str(root), "-cf", str(rootfs), "."], because=because, timeout_seconds=300)
        docker = ["docker", "--host", docker_host]
        changes = [f"--change={line}" for line in (*CONFIG, f"LABEL {RECIPE_LABEL}={recipe(_lock())}")]
        run([*docker, "import", *changes, str(rootfs), LOCAL_TAG], because=because, timeout_seconds=300)
        saved = Path(temporary) / "image.tar"
        run([*docker, "save", "--output", str(saved), LOCAL_TAG], because=because, timeout_seconds=300)
        saved.rename(kept)


@contextmanager
def _ordinary_modes() -> Iterator[None]:
    """Let what is made be readable for all: tasks run as users who own none of it, whatever this user's umask is."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def _bootstrap(root: Path, say: Callable[[str], None]) -> None:
    mirror = apt_sources.mirror_of(SUITE, apt_sources.read())
    follow(
        [
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(DEBIAN_PACKAGES)}",
            SUITE,
            str(root),
            *([mirror] if mirror else []),
        ],
        say,
        because="The base image is made of Debian packages; can this machine reach its Debian mirror (apt-get update)?",
        timeout_seconds=900,
    )


def _install_python_packages(root: Path) -> None:
    """Install with this machine's own pip configuration, for the Python inside the image."""
    machine = os.uname().machine
    platforms = [f"--platform=manylinux{glibc}_{machine}" for glibc in ("2014", "_2_28", "_2_34")]
    requirements = root / "tmp" / "requirements.txt"
    requirements.write_text(locked_packages(_lock()))
    run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--require-hashes", "--only-binary=:all:", "--python-version", SUITE_PYTHON, *platforms),
            *("--target", str(root / SITE), "--requirement", str(requirements)),
        ],
        because="The base image needs the Lambda runtime client; can pip reach its package index?",
        timeout_seconds=600,
    )
    requirements.unlink()
    python = f"/usr/bin/python{SUITE_PYTHON}"
    run(
        ["chroot", str(root), python, "-m", "compileall", "-q", f"/{SITE}"],
        because="The base image's packages could not be compiled.",
        timeout_seconds=300,
    )
