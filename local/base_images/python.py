"""The base image for Python, and the Debian that the other families' images are made of.

It offers what functions need of AWS's: a Python, CA certificates, and awslambdaric and boto3 in the versions of
requirements.lock.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from typing import TYPE_CHECKING

from local import apt, apt_sources, paths
from local.base_images import store
from local.base_images.store import Recipe
from local.errors import LocalError
from local.process import follow, run

if TYPE_CHECKING:
    from pathlib import Path

    from local.base_images.store import Say

SUITE, SUITE_PYTHON = "bookworm", "3.11"
RUNTIME = f"python{SUITE_PYTHON}"
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


def recipe() -> Recipe:
    """Return how the image is made, with the versions of today's requirements.lock."""
    return Recipe(runtime=RUNTIME, name=f"{SUITE}-py{SUITE_PYTHON}", digest=digest(_lock()), make=_make)


def _lock() -> str:
    return (paths.REPOSITORY / "requirements.lock").read_text()


def digest(lock: str) -> str:
    """Return a short name for what goes into the image."""
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


def _make(recipe: Recipe, docker_host: str, kept: Path, say: Say) -> None:
    if shutil.which("debootstrap") is None and apt.available():
        say("base image: installing debootstrap")
        apt.install(
            ["debootstrap"], say, because="The base image needs debootstrap. Repair apt-get, or install it yourself."
        )
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise LocalError(
            f"No base image for the runner: {recipe.aws} cannot be pulled, and making one of Debian packages needs "
            f"root (user id is {os.geteuid()}) and debootstrap ({shutil.which('debootstrap') or 'not installed'}). "
            f"Give the container engine access to {recipe.aws.partition('/')[0]}, or run this once as root on "
            "Debian or Ubuntu with debootstrap installed (apt-get install debootstrap)."
        )
    say(f"base image: making {recipe.tag} from Debian packages (about a minute, once)")
    with store.working_folder(recipe, kept) as working:
        root = working / "root"
        _bootstrap(root, say)
        say("base image: installing its Python packages")
        _install_python_packages(root)
        say("base image: packing it")
        for name in UNNEEDED:
            shutil.rmtree(root / name, ignore_errors=True)
        for name in ("var/task", "var/runtime", "opt", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial"):
            (root / name).mkdir(parents=True, exist_ok=True)
        rootfs = working / "root.tar"
        because = "The base image could not be packed; is the disk full?"
        run(["tar", "-C", str(root), "-cf", str(rootfs), "."], because=because, timeout_seconds=300)
        changes = [f"--change={line}" for line in (*CONFIG, f"LABEL {store.RECIPE_LABEL}={recipe.digest}")]
        command = ["docker", "--host", docker_host, "import", *changes, str(rootfs), recipe.tag]
        run(command, because=because, timeout_seconds=300)
        store.keep(docker_host, recipe.tag, kept, working)


def _bootstrap(root: Path, say: Say) -> None:
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
