"""The facts, gathered: files, sockets, programs and servers are asked, and nothing is changed."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import pwd
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from local import apt_sources, base_images, containers, docker_daemon, docker_socket, engine, paths
from local.base_images.python import SUITE
from local.checks import network
from local.checks.facts import (
    BUILDS,
    CACHE,
    MODULES,
    PROJECT,
    TEMPORARY,
    BaseImage,
    Containers,
    Engine,
    Facts,
    Folder,
    Machine,
    Python,
)
from local.checks.folders import look
from local.checks.packages import are_ready
from local.errors import LocalError
from local.process import run, succeeds

if TYPE_CHECKING:
    from collections.abc import Mapping

TOOLS = ("docker", "dockerd", "debootstrap", "curl", "wget", "tar")
CAP_SYS_ADMIN = 21
"""The bit of mount(2)'s capability; linux/capability.h."""
ASK_SECONDS = 10
CACHED = ("engine", "engine/lock", "base-image", "base-image/lock", "pulumi-home", "kept", "docker")


def gather(environ: Mapping[str, str], *, packages_only: bool) -> Facts:
    """Ask for everything that the set-up needs, or that installing the packages alone needs."""
    ready = are_ready(paths.REPOSITORY)
    found = None if packages_only else _containers(environ)
    pulumi, broken_pulumi = (True, "") if packages_only else _pulumi(environ)
    go = {} if pulumi else _go(environ)
    image = packages_only or _image_is_there(environ, found)

    index = "" if ready else network.pip_index(environ, _home(environ))
    proxies = network.go_proxies(go.get("GOPROXY", ""))
    mirror = "" if image else _mirror()
    asked = [index, *(() if pulumi else (network.PULUMI, *proxies)), *(() if image else (network.REGISTRY, mirror))]
    faults = network.unreachable([each for each in asked if each])
    machine = _machine(environ)
    return Facts(
        machine=machine,
        python=Python(
            command=environ.get("OVERTIME_PYTHON") or sys.executable,
            version=platform.python_version(),
            has_venv=all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
            packages_are_ready=ready,
            broken=ready and _is_broken(),
            index=faults.get(index, ""),
        ),
        folders=_folders(environ, go, packages_are_ready=ready),
        homeless=_cache(environ) is None,
        containers=found,
        engine=Engine(
            is_there=pulumi,
            broken=broken_pulumi,
            download=faults.get(network.PULUMI, "") or _missing_for_download(machine),
            go=go.get("GOVERSION", "").removeprefix("go"),
            # One that answers is enough; empty texts come first.
            proxy=min((faults[each] for each in proxies), default=""),
        ),
        base_image=BaseImage(is_there=image, registry=faults.get(network.REGISTRY, ""), mirror=faults.get(mirror, "")),
    )


def _machine(environ: Mapping[str, str]) -> Machine:
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = ""
    return Machine(
        user_id=os.geteuid(),
        user_name=name,
        has_apt=_which("apt-get", environ),
        may_mount=_may_mount(),
        tools=frozenset(tool for tool in TOOLS if _which(tool, environ)),
    )


def _which(program: str, environ: Mapping[str, str]) -> bool:
    return shutil.which(program, path=environ.get("PATH")) is not None


def _may_mount() -> bool:
    """Read proc_pid_status(5)'s effective capabilities; where there is no such file nothing speaks against it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return True
    masks = [int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")]
    return all(mask >> CAP_SYS_ADMIN & 1 for mask in masks)


def _is_broken() -> bool:
    """Say whether .venv is there, up to date, and does not run."""
    return not succeeds([str(paths.REPOSITORY / ".venv" / "bin" / "python"), "-c", ""])


def _containers(environ: Mapping[str, str]) -> Containers:
    asked = containers.ask_everywhere(environ)
    answering = next((each.host for each in asked if not each.fault), "")
    found = docker_daemon.ask(answering, ours=False) if answering else None
    return Containers(
        named=environ.get("DOCKER_HOST", ""),
        asked=tuple(asked),
        answering=answering,
        apart=found is not None and found.rootless and not docker_socket.shares_our_network(answering),
    )


def _home(environ: Mapping[str, str]) -> Path | None:
    return Path(environ["HOME"]) if environ.get("HOME") else None


def _cache(environ: Mapping[str, str]) -> Path | None:
    try:
        return paths.cache_folder(environ)
    except LocalError:
        return None


def _pulumi(environ: Mapping[str, str]) -> tuple[bool, str]:
    """Say whether an engine is there, and what is wrong with one on PATH that does not work."""
    if _cache(environ) is None:
        # Whatever folder is named next will be empty.
        environ = {**environ, "XDG_CACHE_HOME": "/nonexistent"}
    try:
        return engine.find(environ) is not None, ""
    except LocalError as error:
        return False, str(error)


def _go(environ: Mapping[str, str]) -> dict[str, str]:
    """Ask Go for its version, its servers and its folders; empty where there is no Go that works."""
    names = ("GOVERSION", "GOPROXY", "GOMODCACHE", "GOCACHE")
    command = ["go", "env", "-json", *names]
    try:
        said = json.loads(run(command, because="", timeout_seconds=ASK_SECONDS, env=engine.go_environment(environ)))
    except (LocalError, ValueError):
        return {}
    return {name: str(said.get(name, "")) for name in names}


def _missing_for_download(machine: Machine) -> str:
    """Say what Pulumi's installer lacks: it downloads with curl or wget, and unpacks with tar."""
    if not machine.tools & {"curl", "wget"}:
        return "there is no curl or wget"
    return "" if "tar" in machine.tools else "there is no tar"


def _image_is_there(environ: Mapping[str, str], found: Containers | None) -> bool:
    if found is not None and found.answering and base_images.found_in(found.answering):
        return True
    cache = _cache(environ)
    if cache is None:
        return False
    # What an engine of our own holds cannot be told while it does not run, so nobody is refused for it.
    unknown = not (found and found.answering) and (cache / "docker" / "data").exists()
    return unknown or base_images.kept_file(cache).exists()


def _mirror() -> str:
    """Name the Debian mirror; empty where apt has a proxy of its own, because only apt can ask through that."""
    said = ""
    if shutil.which("apt-config"):
        options = ("Acquire::http::Proxy", "Acquire::https::Proxy")
        try:
            said = run(["apt-config", "dump", "--format", "%v", *options], because="")
        except LocalError:
            said = "unknown"
    mirror = apt_sources.mirror_of(SUITE, apt_sources.read()) or ""
    return "" if said.strip() or not mirror.startswith("http") else mirror


def _folders(environ: Mapping[str, str], go: Mapping[str, str], *, packages_are_ready: bool) -> dict[str, Folder]:
    folders = {}
    if (cache := _cache(environ)) is not None:
        folders[CACHE] = look(cache, CACHED)
    if not packages_are_ready:
        folders[PROJECT] = look(paths.REPOSITORY, (".venv", ".venv/bin"))
    try:
        folders[TEMPORARY] = look(Path(tempfile.gettempdir()))
    except FileNotFoundError:
        # Python tried them all, and wrote into none.
        folders[TEMPORARY] = look(Path(environ.get("TMPDIR") or "/tmp"))  # noqa: S108 - named, not written
    for use, name in ((MODULES, "GOMODCACHE"), (BUILDS, "GOCACHE")):
        if go.get(name):
            folders[use] = look(Path(go[name]))
    return folders
