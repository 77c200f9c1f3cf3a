"""What stands in the set-up's way, by the facts alone: each problem with its reason and the next thing to do."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.checks import needs
from local.checks.facts import BUILDS, CACHE, MODULES, PROJECT, TEMPORARY, Containers, Facts, Folder, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.docker_socket import Answer

INSTALL_DOCKER = "https://docs.docker.com/get-started/get-docker/"
INSTALL_GO = "https://go.dev/dl/"
OLDEST_GO = (1, 21)
"""From here on Go fetches the newer Go that the engine's module asks for (go.dev/doc/toolchain)."""
AS_ROOT = "run make as root on Debian or Ubuntu, where an engine is installed and started for the run"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that stops the set-up."""

    what: str
    why: str
    remedy: str


def problems(facts: Facts) -> list[Problem]:
    """List everything that stops the set-up; empty where nothing is known to."""
    return [
        *_python(facts),
        *_folders(facts),
        *_space(facts),
        *(containers(facts.containers, facts.machine) if facts.containers else ()),
        *_engine(facts),
        *_base_image(facts),
    ]


def _python(facts: Facts) -> Iterator[Problem]:
    python, machine = facts.python, facts.machine
    if python.broken:
        yield Problem(
            what="The Python of .venv does not run; it was removed, or this folder comes from another computer.",
            why="Every step after this one runs with it.",
            remedy="make clean, then this command again",
        )
    if python.packages_are_ready or python.broken:
        return
    if not python.has_venv and not (machine.user_id == 0 and machine.has_apt):
        minor = ".".join(python.version.split(".")[:2])
        yield Problem(
            what=f"{python.command} (Python {python.version}) cannot make virtual environments: it has no ensurepip.",
            why="The Python packages are installed into .venv, so that nothing else on this computer changes.",
            remedy=f"install Python's venv module (Debian, Ubuntu: sudo apt-get install python{minor}-venv)",
        )
    if python.index:
        yield Problem(
            what=f"The Python package index cannot be reached: {python.index}.",
            why="The packages of requirements.lock come from there.",
            remedy="connect this computer, set HTTPS_PROXY, or name an index of your own (PIP_INDEX_URL)",
        )


def _folders(facts: Facts) -> Iterator[Problem]:
    go = "Go keeps there what the Pulumi engine is built of."
    why = {
        MODULES: go,
        BUILDS: go,
        CACHE: "What takes minutes to make is kept there.",
        PROJECT: "The Python packages are installed into .venv there.",
        TEMPORARY: "The emulator and the plugins keep their files there during a run.",
    }
    if facts.homeless:
        yield Problem(
            what=f"HOME is not set and user id {facts.machine.user_id} has no home, so there is no cache folder.",
            why=why[CACHE],
            remedy="set XDG_CACHE_HOME to a folder that you can write to",
        )
    blocked = [folder.path for folder in facts.folders.values() if folder.blocked_at]
    for use, folder in facts.folders.items():
        if any(folder.path.startswith(f"{path}/") for path in blocked):
            continue  # told with the folder above it
        if folder.blocked_at:
            whose = f"; {folder.blocked_at} belongs to {folder.owner}" if folder.owner else ""
            yield Problem(
                what=f"The {use} folder {folder.path} cannot be written{whose}.",
                why=why[use],
                remedy=_give_back(use, folder, facts.machine),
            )
        elif not folder.may_execute and use not in {MODULES, BUILDS}:
            yield Problem(
                what=f"The {use} folder {folder.path} is on a file system mounted noexec.",
                why="Programs that the set-up installs there could not be started.",
                remedy={
                    CACHE: "set XDG_CACHE_HOME to a folder on another file system",
                    TEMPORARY: "set TMPDIR to a folder on another file system",
                }.get(use, "move this project to another file system"),
            )


def _give_back(use: str, folder: Folder, machine: Machine) -> str:
    """Say how this user comes to a folder that can be written."""
    elsewhere = {
        CACHE: "set XDG_CACHE_HOME to a folder that you can write to",
        TEMPORARY: "set TMPDIR to a folder that you can write to",
        MODULES: "set GOMODCACHE to a folder that you can write to",
        BUILDS: "set GOCACHE to a folder that you can write to",
    }.get(use, "copy this project to a folder that you can write to")
    # What an earlier run as root left in the user's own folder is simply given back.
    left = folder.blocked_at.startswith(f"{folder.path}/") or (use == CACHE and folder.blocked_at == folder.path)
    if folder.owner and left:
        who = f"{machine.user_name}:" if machine.user_name else str(machine.user_id)
        return f"sudo chown -R {who} {shlex.quote(folder.path)}; or {elsewhere}"
    return elsewhere


def _space(facts: Facts) -> Iterator[Problem]:
    for shortage in needs.shortages(facts):
        yield Problem(
            what=(
                f"{shortage.path} has {needs.text(shortage.free_bytes)} free; "
                f"{needs.text(shortage.needed_bytes)} are needed ({', '.join(shortage.uses)})."
            ),
            why="A full disk would break the set-up off in the middle.",
            remedy=f"free some space; or, to use another file system: {', '.join(shortage.ways_out)}",
        )


def containers(found: Containers, machine: Machine) -> Iterator[Problem]:
    """List what keeps tasks from running: no engine, one that this user may not use, no command to talk to it."""
    why = "Every Fargate task runs in a container, and the runner's image is built by the engine."
    if found.answering:
        if "docker" not in machine.tools:
            yield Problem(
                what=f"A container engine answers at {found.answering}, but there is no docker command on PATH.",
                why="The set-up talks to the engine with it.",
                remedy="install Docker's command line (Debian, Ubuntu: docker-cli, or docker.io where there is none)",
            )
        if found.apart:
            yield Problem(
                what=f"The container engine at {found.answering} is rootless: its containers have another network.",
                why="In them 127.0.0.1 is not this computer, so no task would reach the emulator.",
                remedy=f"use a Docker that runs as root (DOCKER_HOST=unix:///var/run/docker.sock), or {AS_ROOT}",
            )
    elif found.named:
        yield Problem(
            what=f"DOCKER_HOST is {found.named!r}, but no container engine answers there: {found.asked[0].fault}.",
            why=why,
            remedy=_of_denied(found.asked, machine) or "start that engine, or unset DOCKER_HOST to use another",
        )
    elif machine.user_id == 0 and ("dockerd" in machine.tools or machine.has_apt):
        if not machine.may_mount:
            yield Problem(
                what="No container engine runs, and root here may not mount file systems, so none can be started.",
                why=why,
                remedy="give this container more rights (docker run --privileged), or the host's Docker socket "
                "(-v /var/run/docker.sock:/var/run/docker.sock)",
            )
    else:
        start = "start Docker (systemctl start docker, or Docker Desktop)"
        if "dockerd" not in machine.tools:
            start = f"install and start Docker ({INSTALL_DOCKER}; on macOS, start Docker Desktop)"
        yield Problem(
            what="No container engine was found:" + "".join(f"\n  {each.host}: {each.fault}" for each in found.asked),
            why=why,
            remedy=_of_denied(found.asked, machine) or f"{start}; or {AS_ROOT}",
        )


def _of_denied(asked: tuple[Answer, ...], machine: Machine) -> str:
    """Say how a socket that is there becomes usable; empty where no engine refused this user."""
    for each in asked:
        if each.group:
            join = f"sudo usermod -aG {each.group} {machine.user_name}"
            return f"join the group that may use it ({join}), then log in again; or {AS_ROOT}"
        if each.fault == "you may not use it":
            return f"ask whoever runs that engine for access to its socket; or {AS_ROOT}"
    return ""


def _engine(facts: Facts) -> Iterator[Problem]:
    engine = facts.engine
    why = "The Pulumi engine deploys the program."
    if engine.broken:
        yield Problem(what=engine.broken, why=why, remedy=f"repair it ({needs.HOW_TO_INSTALL_PULUMI}), or remove it")
    if engine.broken or engine.is_there or not engine.download:
        return
    lacking = f"There is no pulumi on PATH, and it cannot be downloaded: {engine.download}."
    remedy = f"install pulumi ({needs.HOW_TO_INSTALL_PULUMI})"
    if not engine.go:
        what = f"{lacking} Building it needs Go, which is not on PATH."
        remedy += f", or Go ({INSTALL_GO}), or let this computer reach get.pulumi.com"
    elif (minor := re.match(r"(\d+)\.(\d+)", engine.go)) and (int(minor[1]), int(minor[2])) < OLDEST_GO:
        what = f"{lacking} Building it needs Go {'.'.join(map(str, OLDEST_GO))} or newer; this is Go {engine.go}."
        remedy += f", or a newer Go ({INSTALL_GO})"
    elif engine.proxy:
        what = f"{lacking} Building it needs Go's module proxy, which cannot be reached: {engine.proxy}."
        remedy += ", or let this computer reach either (HTTPS_PROXY, go env GOPROXY)"
    else:
        return
    yield Problem(what=what, why=why, remedy=remedy)


def _base_image(facts: Facts) -> Iterator[Problem]:
    base, machine = facts.base_image, facts.machine
    if base.is_there or not base.registry:
        return
    what = f"The runner's base image cannot be pulled from AWS's registry: {base.registry}."
    why = "The image that tasks run is built on it."
    remedy = "let this computer reach public.ecr.aws (HTTPS_PROXY)"
    if machine.user_id != 0 or not ("debootstrap" in machine.tools or machine.has_apt):
        yield Problem(
            what=f"{what} Making one of Debian packages needs root, and apt or debootstrap.",
            why=why,
            remedy=f"{remedy}, or run make setup once as root on Debian or Ubuntu",
        )
    elif base.mirror:
        yield Problem(
            what=f"{what} Making one needs the Debian mirror, which cannot be reached: {base.mirror}.",
            why=why,
            remedy=f"{remedy}, or the Debian mirror",
        )
