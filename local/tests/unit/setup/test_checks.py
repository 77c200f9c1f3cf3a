"""What stops a set-up, by the facts alone: what is said, why, and what to do; and that all of it is said at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

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
from local.checks.problems import Problem, problems
from local.checks.report import report
from local.docker_socket import Answer

GB = 10**9
SOCKET = "unix:///var/run/docker.sock"
USER = Machine(user_id=1000, user_name="ann", has_apt=True, may_mount=False, tools=frozenset({"docker", "curl", "tar"}))
ROOT = replace(USER, user_id=0, user_name="root", may_mount=True)
PYTHON = Python(command="python3", version="3.11.2", has_venv=True, packages_are_ready=True)
RUNNING = Containers(asked=(Answer(host=SOCKET),), answering=SOCKET)
ABSENT = Containers(asked=(Answer(host=SOCKET, fault="there is no such socket"),))
THERE, HERE = Engine(is_there=True), BaseImage(is_there=True)
NOT_DOWNLOADED = Engine(is_there=False, download="get.pulumi.com: no answer within 4 s", go="1.26.8")
NOT_PULLED = BaseImage(is_there=False, registry="public.ecr.aws: no answer within 4 s")
READY = Facts(machine=USER, python=PYTHON, engine=THERE, base_image=HERE, containers=RUNNING)


def folder(**changes: object) -> Folder:
    return replace(Folder(path="/home/ann/.cache/overtime", free_bytes=100 * GB), **changes)  # type: ignore[arg-type]


def only(facts: Facts) -> Problem:
    """Give the one problem that there is."""
    found = problems(facts)
    assert len(found) == 1, found
    return found[0]


def test_where_all_is_there_nothing_is_said() -> None:
    """Also without network: nobody is asked for what is there."""
    assert problems(READY) == []


def test_everything_is_told_in_one_report() -> None:
    """Each with what, why and what to do; none hides another."""
    facts = Facts(
        machine=USER,
        python=replace(
            PYTHON, packages_are_ready=False, has_venv=False, index="index.example: Name or service not known"
        ),
        engine=replace(NOT_DOWNLOADED, go=""),
        base_image=NOT_PULLED,
        containers=ABSENT,
        folders={CACHE: folder(blocked_at="/home/ann"), TEMPORARY: folder(path="/tmp", free_bytes=0)},
    )
    text = report(problems(facts))
    assert text.startswith("7 things stop the set-up; nothing was changed.")
    assert [line[:4] for line in text.splitlines() if line.startswith("  ") and line[2].isdigit()] == [
        f"  {number}." for number in range(1, 8)
    ]
    assert text.count("     why: ") == text.count("     do:  ") == 7
    assert max(len(line) for line in text.splitlines()) <= 110


def test_a_python_without_venv_is_told_with_its_package() -> None:
    """The package is that of the Python that was found; root on Debian installs it, so it is no problem there."""
    lacking = replace(PYTHON, packages_are_ready=False, has_venv=False)
    found = only(replace(READY, python=lacking))
    assert "python3 (Python 3.11.2) cannot make virtual environments" in found.what
    assert "apt-get install python3.11-venv" in found.remedy
    assert problems(replace(READY, python=lacking, machine=ROOT)) == []


def test_a_venv_whose_python_is_gone_is_told() -> None:
    """As after an upgrade, or when the folder was copied from another computer."""
    assert only(replace(READY, python=replace(PYTHON, broken=True))).remedy.startswith("make clean")


def test_without_any_engine_each_place_asked_is_named() -> None:
    """A user is told to install Docker, or to start it where it is installed."""
    found = only(replace(READY, containers=ABSENT))
    assert found.what == f"No container engine was found:\n  {SOCKET}: there is no such socket"
    assert "install and start Docker (https://" in found.remedy
    installed = replace(USER, tools=USER.tools | {"dockerd"})
    assert only(replace(READY, containers=ABSENT, machine=installed)).remedy.startswith("start Docker (systemctl")


def test_root_starts_an_engine_where_that_is_possible() -> None:
    """On Debian or with dockerd; but not inside a container that may not mount."""
    assert problems(replace(READY, containers=ABSENT, machine=ROOT)) == []
    found = only(replace(READY, containers=ABSENT, machine=replace(ROOT, may_mount=False)))
    assert "root here may not mount" in found.what
    assert "--privileged" in found.remedy
    assert "No container engine" in only(replace(READY, containers=ABSENT, machine=replace(ROOT, has_apt=False))).what


@pytest.mark.parametrize(
    ("group", "remedy"), [("docker", "sudo usermod -aG docker ann"), ("", "ask whoever runs that engine for access")]
)
def test_a_socket_that_others_own_is_told_with_the_way_in(group: str, remedy: str) -> None:
    """The group that the socket belongs to is named."""
    asked = (Answer(host=SOCKET, fault="you may not use it", group=group),)
    assert remedy in only(replace(READY, containers=Containers(asked=asked))).remedy
    assert remedy in only(replace(READY, containers=Containers(named=SOCKET, asked=asked))).remedy


def test_a_docker_host_that_is_dead_is_never_passed_over() -> None:
    """Root could start another, but was told to use this one."""
    host = "tcp://10.0.0.1:2375"
    found = Containers(named=host, asked=(Answer(host=host, fault="no answer within 3 s"),))
    for machine in (USER, ROOT):
        told = only(replace(READY, containers=found, machine=machine))
        assert told.what == f"DOCKER_HOST is {host!r}, but no container engine answers there: no answer within 3 s."
        assert "unset DOCKER_HOST" in told.remedy


def test_an_engine_without_the_docker_command_is_told() -> None:
    assert "docker-cli" in only(replace(READY, machine=replace(USER, tools=frozenset()))).remedy


def test_a_rootless_engine_with_a_network_of_its_own_is_told() -> None:
    assert "no task would reach the emulator" in only(replace(READY, containers=replace(RUNNING, apart=True))).why


@pytest.mark.parametrize(
    ("engine", "what", "remedy"),
    [
        (replace(NOT_DOWNLOADED, go=""), "needs Go, which is not on PATH", "https://go.dev/dl/"),
        (replace(NOT_DOWNLOADED, go="1.19.8"), "needs Go 1.21 or newer; this is Go 1.19.8", "a newer Go"),
        (replace(NOT_DOWNLOADED, go="1.26rc1", proxy="proxy.example: refused"), "proxy, which cannot", "GOPROXY"),
        (Engine(is_there=False, broken="`pulumi version` printed 'x'."), "printed 'x'", "repair it"),
    ],
)
def test_an_engine_that_cannot_be_had_is_told(engine: Engine, what: str, remedy: str) -> None:
    """Neither download nor Go; a Go that is too old; no proxy for Go; a pulumi that does not work."""
    found = only(replace(READY, engine=engine))
    assert what in found.what
    assert remedy in found.remedy


def test_one_way_to_an_engine_is_enough() -> None:
    """Downloaded without Go, or built without a download."""
    assert problems(replace(READY, engine=Engine(is_there=False))) == []
    assert problems(replace(READY, engine=NOT_DOWNLOADED)) == []


def test_a_base_image_that_cannot_be_had_is_told() -> None:
    """A user cannot make one; root can, from a mirror that can be reached."""
    assert "run make setup once as root" in only(replace(READY, base_image=NOT_PULLED)).remedy
    assert problems(replace(READY, base_image=NOT_PULLED, machine=ROOT)) == []
    alone = replace(NOT_PULLED, mirror="mirror.example: Name or service not known")
    assert "Debian mirror, which cannot be reached: mirror" in only(replace(READY, base_image=alone, machine=ROOT)).what


def test_a_user_without_a_home_is_told_what_to_set() -> None:
    assert "XDG_CACHE_HOME" in only(replace(READY, homeless=True)).remedy


@pytest.mark.parametrize(
    ("use", "variable"),
    [(CACHE, "XDG_CACHE_HOME"), (TEMPORARY, "TMPDIR"), (MODULES, "GOMODCACHE"), (BUILDS, "GOCACHE"), (PROJECT, "copy")],
)
def test_a_folder_that_cannot_be_written_is_told(use: str, variable: str) -> None:
    """With what moves it elsewhere; and what a run as root left in one's own folder is given back."""
    blocked = folder(blocked_at="/home", owner="root")
    found = only(replace(READY, folders={use: blocked}))
    assert "/home belongs to root" in found.what
    assert found.remedy.startswith(("set", "copy"))
    assert variable in found.remedy
    left = folder(path="/home/ann/my cache", blocked_at="/home/ann/my cache/engine", owner="root")
    assert only(replace(READY, folders={use: left})).remedy.startswith("sudo chown -R ann: '/home/ann/my cache'; or ")
    whole = folder(blocked_at=left.path, path=left.path, owner="root")
    assert only(replace(READY, folders={use: whole})).remedy.startswith("sudo chown") is (use == CACHE)


def test_a_folder_inside_one_that_cannot_be_written_is_not_told_again() -> None:
    """As Go's, where there is no home and they go to the cache folder."""
    blocked = folder(blocked_at="/home", owner="root")
    inner = replace(blocked, path=f"{blocked.path}/go")
    assert only(replace(READY, folders={CACHE: blocked, MODULES: inner})).what.startswith("The cache folder")


def test_a_file_system_without_programs_is_told() -> None:
    """The engine and the plugins are programs; Go's own folders may be anywhere."""
    barred = folder(may_execute=False)
    for use in (CACHE, PROJECT, TEMPORARY):
        assert "noexec" in only(replace(READY, folders={use: barred})).what
    assert problems(replace(READY, folders={MODULES: barred, BUILDS: barred})) == []


def test_what_one_disk_must_hold_is_added_up() -> None:
    """Four folders on one file system need the sum; on another one, each its own."""
    build = replace(READY, engine=NOT_DOWNLOADED)
    uses = (CACHE, MODULES, BUILDS, TEMPORARY)
    found = only(replace(build, folders={use: folder(free_bytes=3 * GB) for use in uses}))
    assert "has 3.0 GB free; 5.2 GB are needed (building the Pulumi engine 1.9 GB, its Go modules 1.4 GB" in found.what
    assert "set XDG_CACHE_HOME, set GOMODCACHE, set GOCACHE" in found.remedy
    apart = {use: folder(device=number, free_bytes=3 * GB) for number, use in enumerate(uses)}
    assert problems(replace(build, folders=apart)) == []


def test_what_is_there_needs_no_room() -> None:
    """A nearly full disk with warm caches is enough."""
    assert problems(replace(READY, folders={CACHE: folder(free_bytes=60 * 10**6)})) == []
    stale = replace(READY, python=replace(PYTHON, packages_are_ready=False))
    found = only(replace(stale, folders={CACHE: folder(free_bytes=60 * 10**6)}))
    assert "60 MB free; 480 MB are needed (their downloads 480 MB)" in found.what
