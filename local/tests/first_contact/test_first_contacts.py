"""What a new user sees before anything slow begins; `pytest -s local/tests/first_contact` shows texts and seconds."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.containers import container_engine
from local.tests.first_contact.door import answering, door, silent_server
from local.tests.first_contact.stage import BOUND_SECONDS, USER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.tests.first_contact.stage import Stage, Told

NO_HOME = 64_999
"""No user: the list of users has no home for it."""


def things(told: Told, number: int) -> str:
    """Check that a report has so many entries and was the end; give its text without line breaks."""
    assert told.status
    head = "1 thing stops" if number == 1 else f"{number} things stop"
    assert f"overtime: {head} the set-up; nothing was changed." in told.text
    assert "Traceback" not in told.text
    return " ".join(told.text.split())


def nothing(told: Told) -> None:
    """Check that nothing was said and nothing stops the set-up."""
    assert (told.text, told.status) == ("", 0)


@contextmanager
def users_engine(stage: Stage, name: str = "docker.sock") -> Iterator[str]:
    """Let something that answers as an engine does listen on a socket of the user's own."""
    run = stage.folder / "run"
    run.mkdir()
    run.chmod(0o700)
    stage.give(run)
    with answering() as engine, door(run / name, engine, user=USER, group=USER, mode=0o600) as host:
        yield host


def test_nothing_but_python(stage: Stage) -> None:
    """All at once: no packages, no container engine, no way to an engine or a base image."""
    stage.without("go")
    text = things(stage.make("demo"), 4)
    for part in ("package index", "No container engine was found", "There is no pulumi on PATH", "base image"):
        assert part in text
    assert not (stage.checkout / ".venv").exists()
    assert not list(stage.home.iterdir())


def test_warm_caches_need_no_network(stage: Stage) -> None:
    """Everything was set up once: nobody is asked, so nothing is missed and nothing waited for."""
    stage.warm("packages", "engine", "image")
    with users_engine(stage) as host, silent_server() as (proxy, was_asked):
        nothing(stage.make("checks", DOCKER_HOST=host))
        nothing(stage.make("checks", online=True, DOCKER_HOST=host, HTTPS_PROXY=proxy, http_proxy=proxy))
        assert not was_asked()


def test_without_docker(stage: Stage) -> None:
    stage.warm("packages", "engine", "image")
    assert "unix:///var/run/docker.sock: there is no such socket" in things(
        stage.make("demo", XDG_RUNTIME_DIR=str(stage.folder)), 1
    )


def test_a_rootless_docker_is_found(stage: Stage) -> None:
    """It listens in the user's own folder; nothing names it."""
    stage.warm("packages", "engine", "image")
    with users_engine(stage):
        nothing(stage.make("checks", XDG_RUNTIME_DIR=str(stage.folder / "run")))


def test_the_docker_of_dockers_context_is_found(stage: Stage) -> None:
    """As Docker Desktop sets it."""
    if not (stage.bin / "docker").exists():
        pytest.skip("no docker command here")
    stage.warm("packages", "engine", "image")
    with users_engine(stage, "desktop.sock") as host:
        make = ["docker", "context", "create", "desktop", "--docker", f"host={host}"]
        subprocess.run(stage.command(*make), env=stage.environment({}), cwd=stage.home, check=True, capture_output=True)
        nothing(stage.make("checks", DOCKER_CONTEXT="desktop"))


def test_another_users_socket(stage: Stage) -> None:
    """The group that may use it is named, with the command that joins it."""
    stage.warm("packages", "engine", "image")
    with answering() as engine, door(stage.folder / "docker.sock", engine, user=0, group=1, mode=0o660) as host:
        told = things(stage.make("demo", DOCKER_HOST=host), 1)
    assert "you may not use it" in told
    assert "sudo usermod -aG daemon nobody" in told


def test_a_docker_host_where_nobody_listens_any_more(stage: Stage) -> None:
    """The socket's file outlived its engine."""
    stage.warm("packages", "engine", "image")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stage.folder / "left.sock"))
    stage.give(stage.folder / "left.sock")
    assert "nobody listens there" in things(stage.make("demo", DOCKER_HOST=f"unix://{stage.folder}/left.sock"), 1)


def test_a_docker_that_hangs(stage: Stage) -> None:
    """It takes connections and answers none."""
    stage.warm("packages", "engine", "image")
    with door(stage.folder / "docker.sock", None, user=USER, group=USER, mode=0o600) as host:
        assert "no answer within 3 s" in things(stage.make("demo", DOCKER_HOST=host), 1)


def test_root_that_may_not_start_an_engine(stage: Stage) -> None:
    """As in a container of a CI service."""
    if Path("/var/run/docker.sock").exists():
        pytest.skip("a Docker runs here, so none would be started")
    stage.warm("packages", "engine", "image")
    stage.tools(["apt-get", "dockerd"])
    if not {"apt-get", "dockerd"} & {each.name for each in stage.bin.iterdir()}:
        pytest.skip("neither apt-get nor dockerd is here")
    assert "docker run --privileged" in things(stage.make("demo", user=None), 1)


def test_python_without_venv(stage: Stage) -> None:
    """As Debian's python3 comes; the package to install is named, together with the rest."""
    stage.warm("engine", "image")
    hide = stage.folder / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n", encoding="utf-8")
    text = things(stage.make("demo", PYTHONPATH=str(hide)), 3)
    assert "sudo apt-get install python3." in text
    assert "No container engine was found" in text


def test_python_too_old(stage: Stage) -> None:
    pretend = f'exec {stage.python} -c "import sys; sys.version_info = (3, 9, 2); $2"'
    stage.program("python3", f'case "$1" in --version) echo Python 3.9.2;; -c) {pretend};; *) exit 1;; esac')
    assert "no Python 3.11 or newer on PATH (Python 3.9.2)" in things(stage.make("demo"), 1)


def test_no_python_at_all(stage: Stage) -> None:
    stage.without("python3")
    assert "(no python3 at all)" in things(stage.make("demo"), 1)


def test_a_venv_whose_python_is_gone(stage: Stage) -> None:
    stage.warm("packages", "engine", "image")
    (stage.checkout / ".venv" / "bin" / "python").unlink()
    with users_engine(stage) as host:
        assert "make clean" in things(stage.make("demo", DOCKER_HOST=host), 1)


def test_neither_download_nor_go(stage: Stage) -> None:
    stage.warm("packages", "image")
    stage.without("go")
    with users_engine(stage) as host:
        text = things(stage.make("demo", DOCKER_HOST=host), 1)
    assert "cannot be downloaded: get.pulumi.com: " in text
    assert "Building it needs Go, which is not on PATH" in text


def test_servers_that_never_answer(stage: Stage) -> None:
    """A proxy that swallows everything costs seconds, not the servers' time-outs one after another."""
    stage.without("go")
    with silent_server() as (proxy, was_asked), users_engine(stage) as host:
        text = things(stage.make("demo", online=True, DOCKER_HOST=host, HTTPS_PROXY=proxy), 3)
        assert was_asked()
    assert text.count("no answer within 4 s") == 3


def test_a_dead_proxy(stage: Stage) -> None:
    """The report names what could not be reached, and the variable."""
    stage.warm("packages", "image")
    stage.without("go")
    with users_engine(stage) as host:
        text = things(stage.make("demo", online=True, DOCKER_HOST=host, HTTPS_PROXY="http://127.0.0.1:9"), 1)
    assert "get.pulumi.com: Connection refused" in text


def test_a_full_disk_on_which_no_program_runs(stage: Stage, small: Path) -> None:
    """What is still to be made is added up before any of it is begun."""
    stage.warm("packages")
    with users_engine(stage) as host:
        text = things(
            stage.make("demo", DOCKER_HOST=host, XDG_CACHE_HOME=str(small)), 4 if (stage.bin / "go").exists() else 5
        )
    assert "mounted noexec" in text
    assert "small/overtime has 67 MB free; " in text


@pytest.mark.parametrize(
    ("user", "home", "told"),
    [
        (NO_HOME, None, f"HOME is not set and user id {NO_HOME} has no home"),
        (USER, "/nonexistent", "cache folder /nonexistent/.cache/overtime cannot be written; / belongs to root"),
        (USER, "/proc", "cache folder /proc/.cache/overtime cannot be written"),
    ],
)
def test_a_home_that_cannot_be_written(stage: Stage, user: int, home: str | None, told: str) -> None:
    """The way out is named, and works."""
    stage.warm("packages", "engine", "image")
    with answering() as engine, door(stage.folder / "docker.sock", engine, user=user, group=user, mode=0o600) as host:
        text = things(stage.make("demo", user=user, HOME=home, DOCKER_HOST=host, XDG_CACHE_HOME=None), 3)
        assert told in text
        assert "set XDG_CACHE_HOME" in text
        cache = str(stage.home / ".cache")
        if user == USER:
            nothing(stage.make("checks", HOME=home, DOCKER_HOST=host, XDG_CACHE_HOME=cache))


def test_what_a_run_with_sudo_left(stage: Stage) -> None:
    """Root's files in the user's cache: given back with the command that is named."""
    stage.warm("packages", "engine", "image")
    (stage.home / ".cache" / "overtime" / "engine" / "lock").touch()
    with users_engine(stage) as host:
        assert "sudo chown -R nobody: " in things(stage.make("demo", DOCKER_HOST=host), 1)
        stage.give(stage.home)
        nothing(stage.make("checks", DOCKER_HOST=host))


def test_two_set_ups_at_once(stage: Stage) -> None:
    """The second says that it waits, and finds everything done."""
    stage.warm("engine", "image")
    lock = os.open(stage.checkout, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    second = subprocess.Popen(
        stage.command(str(stage.bin / "make"), "packages"),
        cwd=stage.checkout,
        env=stage.environment({}),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert second.stdout is not None
    assert select.select([second.stdout], [], [], BOUND_SECONDS)[0], "it waits and does not say so"
    said = second.stdout.readline()
    sys.stdout.write(f"\n==== two set-ups at once\n{said}")
    assert said == "overtime: packages: another set-up installs them; waiting until that is done\n"
    stage.warm("packages")
    os.close(lock)
    assert second.stdout.read() == ""
    assert second.wait() == 0


@pytest.mark.e2e
def test_a_docker_that_runs_has_the_base_image(stage: Stage) -> None:
    """Of a real engine's images nothing has to be in the user's cache."""
    with container_engine(print) as engine:
        from local import base_images  # noqa: PLC0415

        base_images.prepare(engine.host, print)
        stage.warm("packages", "engine")
        inner = Path(engine.host.removeprefix("unix://"))
        with door(stage.folder / "docker.sock", inner, user=0, group=USER, mode=0o660) as host:
            nothing(stage.make("checks", DOCKER_HOST=host))
