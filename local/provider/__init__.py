"""Light Pulumi plugins for the local stack: the resources that the program uses, made through boto3."""

from __future__ import annotations

import shlex
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING

from local.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

MODULES = MappingProxyType(
    {
        "aws": "local.provider.aws",
        "awsx": "local.provider.awsx",
        "docker-build": "local.provider.docker_build",
    }
)
"""The module that serves each Pulumi package."""


def install(folder: Path) -> Path:
    """Write the plugins' executables into `folder`, and give the folder for PATH.

    The engine takes a `pulumi-resource-<package>` that it finds on PATH instead of downloading one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for package, module in MODULES.items():
        temporary = folder / f".pulumi-resource-{package}"
        temporary.write_text(launcher(module), encoding="utf-8")
        temporary.chmod(0o755)
        temporary.replace(folder / f"pulumi-resource-{package}")
    return folder


def launcher(module: str) -> str:
    """Give the script that serves a plugin from this module, with this interpreter and these sources."""
    sources, interpreter = shlex.quote(str(REPOSITORY)), shlex.quote(sys.executable)
    # Without -P a folder `local` of the user's project would hide ours.
    return f'#!/bin/sh\nPYTHONPATH={sources} exec {interpreter} -P -m {module} "$@"\n'
