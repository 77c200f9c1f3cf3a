"""How the facts are come by: sockets, servers, folders, programs; each asked in a bounded time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from local import containers, docker_socket, engine, paths
from local.checks import network
from local.checks.folders import look
from local.docker_socket import knock, shares_our_network

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def short() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ot-") as folder:
        yield Path(folder)


@contextmanager
def listening(path: Path, answer: bytes | None) -> Iterator[str]:
    """Let something take one connection and say this; None: it says nothing, ever."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            client = listener.accept()[0]
            with client:
                client.recv(1000)
                client.sendall(answer or b"")

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
        yield f"unix://{path}"


def test_an_engine_is_one_that_answers_a_ping(short: Path) -> None:
    """Something else that listens there is told from it."""
    with listening(short / "yes", b"HTTP/1.0 200 OK\r\n\r\nOK") as host:
        assert not knock(host).fault
    with listening(short / "no", b"220 mail ready\r\n") as host:
        assert knock(host).fault == "what listens there is not a container engine (it said b'220 mail ready')"


def test_who_does_not_answer_is_not_waited_for_long(short: Path) -> None:
    with listening(short / "silent", None) as host:
        assert knock(host, seconds=0.2).fault == "no answer within 0.2 s"


def test_what_is_wrong_with_a_socket_is_told_apart(short: Path) -> None:
    """Missing, left by an engine that is gone, longer than a socket's path may be, no address at all."""
    assert knock(f"unix://{short}/none").fault == "there is no such socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(short / "left"))
    assert knock(f"unix://{short}/left").fault == "nobody listens there (any more)"
    assert "too long" in knock(f"unix://{short}/{'x' * 120}").fault
    assert knock("tcp://127.0.0.1:9").fault == "nobody listens there (any more)"
    assert knock("tcp://127.0.0.1:port").fault
    assert "not an engine's address" in knock("/var/run/docker.sock").fault


def test_an_engine_in_this_network_is_known(short: Path) -> None:
    """The listener is this process; one that is not there is not known to be."""
    with listening(short / "here", None) as host:
        assert shares_our_network(host) is sys.platform.startswith("linux")
    assert not shares_our_network(f"unix://{short}/none")


def test_a_docker_host_is_the_only_place_that_is_asked() -> None:
    assert containers.candidates({"DOCKER_HOST": "tcp://h:1", "XDG_RUNTIME_DIR": "/run/user/1"}) == ["tcp://h:1"]


def test_a_users_own_socket_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a rootless engine listens by default; root, whose engines have this computer's network, does not ask it."""
    environ = {"PATH": "/nonexistent", "XDG_RUNTIME_DIR": "/run/user/1000"}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert containers.candidates(environ) == ["unix:///var/run/docker.sock", "unix:///run/user/1000/docker.sock"]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert containers.candidates(environ) == ["unix:///var/run/docker.sock"]


def test_the_engine_of_dockers_context_is_asked_first(short: Path) -> None:
    """The docker command says which it is; where it fails, the usual places are asked."""
    docker = short / "docker"
    docker.write_text('#!/bin/sh\n[ "$1 $2" = "context inspect" ] && echo unix:///home/ann/.docker/desktop.sock\n')
    docker.chmod(0o755)
    environ = {"PATH": f"{short}:/bin:/usr/bin"}
    assert containers.candidates(environ)[:2] == [
        "unix:///home/ann/.docker/desktop.sock",
        "unix:///var/run/docker.sock",
    ]
    docker.write_text("#!/bin/sh\nexit 1\n")
    assert containers.candidates(environ)[0] == "unix:///var/run/docker.sock"


def test_asking_stops_at_the_first_that_answers(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(short / "yes", b"HTTP/1.0 200 OK\r\n\r\nOK") as host:
        hosts = [f"unix://{short}/none", host, "tcp://never:1"]
        monkeypatch.setattr(containers, "candidates", lambda _environ: hosts)
        asked = containers.ask_everywhere({})
    assert [(each.host, bool(each.fault)) for each in asked] == [(f"unix://{short}/none", True), (host, False)]


def test_servers_are_asked_all_at_once() -> None:
    """None of ten answers before all ten were asked."""
    with socket.create_server(("127.0.0.1", 0), backlog=32) as server:

        def serve() -> None:
            clients = [server.accept()[0] for _ in range(10)]
            for client in clients:
                client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                client.close()

        threading.Thread(target=serve, daemon=True).start()
        addresses = [f"http://127.0.0.1:{server.getsockname()[1]}/{number}" for number in range(10)]
        assert network.unreachable(addresses, seconds=30) == dict.fromkeys(addresses, "")


def test_what_is_wrong_with_a_server_is_told_apart() -> None:
    """One that never answers, one that nobody is behind; one that answers with an error is there."""
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as rude:
        threading.Thread(target=lambda: rude.accept()[0].sendall(b"HTTP/1.0 403 No\r\n\r\n"), daemon=True).start()
        late, there = (f"http://127.0.0.1:{each.getsockname()[1]}/" for each in (silent, rude))
        assert network.unreachable([late], seconds=0.5) == {late: "127.0.0.1: no answer within 0.5 s"}
        assert network.unreachable([there], seconds=30) == {there: ""}
    refused = "http://127.0.0.1:9/"
    assert network.unreachable([refused], seconds=30) == {refused: "127.0.0.1: Connection refused"}


@pytest.mark.parametrize(
    ("setting", "servers"),
    [
        ("https://proxy.example,direct", ["https://proxy.example"]),
        ("https://a|https://b", ["https://a", "https://b"]),
        ("file:///mirror,https://a", []),
        ("direct", []),
        ("", []),
    ],
)
def test_go_proxies_are_those_that_can_be_asked(setting: str, servers: list[str]) -> None:
    assert network.go_proxies(setting) == servers


def test_the_package_index_is_the_one_that_pip_asks(tmp_path: Path) -> None:
    """By its files and variables; where more than an address is set there, it is not asked."""
    with pytest.MonkeyPatch.context() as patch:
        models = SimpleNamespace(PyPI=SimpleNamespace(simple_url="https://default/simple"))
        patch.setitem(sys.modules, "pip._internal.models.index", models)
        assert network.pip_index({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path) in {"https://default/simple/pip/", ""}
        patch.setitem(sys.modules, "pip._internal.models.index", None)
        assert network.pip_index({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path) == ""
    assert network.pip_index({"PIP_INDEX_URL": "https://mirror/simple/"}, tmp_path) == "https://mirror/simple/pip/"
    (tmp_path / ".pip").mkdir()
    file = tmp_path / ".pip" / "pip.conf"
    file.write_text("[global]\nindex-url = https://own/simple\n")
    assert network.pip_index({}, tmp_path) == "https://own/simple/pip/"
    for line in ("no-index = true", "proxy = http://p:1"):
        file.write_text(f"[global]\nindex-url = https://own/simple\n{line}\n")
        assert network.pip_index({}, tmp_path) == ""
    file.write_text("this is no pip.conf")
    assert network.pip_index({}, tmp_path) == ""


def test_a_folder_that_is_missing_counts_as_the_one_above(tmp_path: Path) -> None:
    found = look(tmp_path / "not" / "there")
    assert (found.path, found.blocked_at) == (str(tmp_path / "not" / "there"), "")
    assert found.free_bytes > 0
    assert not (tmp_path / "not").exists()


def test_a_file_in_a_folders_place_is_told(tmp_path: Path) -> None:
    """Root, who may write everything, meets this one, too."""
    (tmp_path / "cache").touch()
    assert look(tmp_path / "cache").blocked_at == str(tmp_path / "cache")
    assert look(tmp_path / "cache" / "overtime").blocked_at == str(tmp_path / "cache")
    (tmp_path / "engine").touch()
    assert look(tmp_path, ["engine"]).blocked_at == str(tmp_path / "engine")


def test_the_checks_need_no_package() -> None:
    """They run before there are any: with the standard library alone."""
    modules = "local.checks.__main__, local.packages"
    subprocess.run([sys.executable, "-S", "-c", f"import {modules}"], check=True, cwd=paths.REPOSITORY)


def test_go_has_folders_where_there_is_no_home(tmp_path: Path) -> None:
    """Else it refuses to do anything; what the user set stays."""
    environ = {"XDG_CACHE_HOME": str(tmp_path), "GOCACHE": "/mine"}
    for home in ({}, {"HOME": "/nonexistent"}):
        assert engine.go_environment({**environ, **home})["GOPATH"] == str(tmp_path / "overtime" / "go")
        assert engine.go_environment({**environ, **home})["GOCACHE"] == "/mine"
    assert "GOPATH" not in engine.go_environment({**environ, "HOME": str(tmp_path)})


def test_a_sockets_group_is_named(short: Path) -> None:
    """Root may use every socket, so the group is asked for directly."""
    with listening(short / "docker", None):
        (short / "docker").chmod(0o600)
        assert docker_socket._group(str(short / "docker")) == ""
