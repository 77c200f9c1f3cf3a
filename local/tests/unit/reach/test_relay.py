"""The relay as it runs in a container: a program of its own, with nothing but its text."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local import relay

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = Path(relay.__file__).read_text(encoding="utf-8")
OTHER = "127.0.0.2"
"""This computer by another name, as inside a virtual machine; only Linux answers there without being told to."""
linux = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is not there")


class Answers(http.server.BaseHTTPRequestHandler):
    """Says that all is well, and gives back what it is sent."""

    def do_GET(self) -> None:
        """Answer the question for health only."""
        self.send_response(200 if self.path == relay.HEALTH else 404)
        self.end_headers()

    def do_POST(self) -> None:
        """Echo."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def emulator(host: str) -> Iterator[int]:
    """Let something that answers as the emulator does listen there."""
    with http.server.ThreadingHTTPServer((host, 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def program(*arguments: str, text: str = TEXT) -> list[str]:
    return [sys.executable, "-c", text, *arguments]


def find(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program("find", *arguments), capture_output=True, text=True, check=False, timeout=30)


def free_port() -> int:
    with emulator("127.0.0.1") as port:
        return port


@linux
def test_the_first_name_by_which_the_emulator_answers_is_found() -> None:
    with emulator(OTHER) as port:
        done = find(str(port), "127.0.0.1", OTHER, "no-such-host.invalid")
    assert (done.stdout, done.returncode) == (f"{OTHER}\n", 0)
    assert "127.0.0.1: " in done.stderr
    assert "refused" in done.stderr


def test_where_it_answers_by_none_each_has_its_reason() -> None:
    done = find(str(free_port()), "127.0.0.1", "no-such-host.invalid")
    assert (done.stdout, done.returncode) == ("", 1)
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["127.0.0.1", "no-such-host.invalid"]


def test_somebody_else_on_that_port_is_not_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "do_GET", lambda self: self.send_error(404))
    with emulator("127.0.0.1") as port:
        done = find(str(port), "127.0.0.1")
    assert (done.returncode, done.stderr) == (1, "127.0.0.1: Not Found\n")


@linux
def test_a_relay_passes_everything_on() -> None:
    """Several at once, and more than fits into one piece."""
    with emulator(OTHER) as port, subprocess.Popen(program("relay", str(port), OTHER)) as process:
        try:
            wait_for(port)
            body = bytes(range(256)) * 4_000
            requests = [urllib.request.Request(f"http://127.0.0.1:{port}/", body) for _ in range(3)]
            answers = [urllib.request.urlopen(request, timeout=10) for request in requests]
            assert [answer.read() for answer in answers] == [body] * 3
        finally:
            process.kill()


@linux
def test_a_relay_ends_when_the_emulator_has_been_gone_for_a_while() -> None:
    """Whoever started it may have been killed; while the emulator only restarts, the relay stays."""
    text = TEXT.replace("GONE_SECONDS = 60", "GONE_SECONDS = 1").replace("LOOK_SECONDS = 5", "LOOK_SECONDS = 0.1")
    assert text.count(" = 60") + text.count(" = 5\n") == 0
    with ExitStack() as stack:
        with emulator(OTHER) as port:
            process = subprocess.Popen(program("relay", str(port), OTHER, text=text))
            stack.callback(process.kill)
            wait_for(port)
            time.sleep(1.5)
            assert process.poll() is None
        assert process.wait(20) == 0


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while relay.asked("127.0.0.1", port):
        assert time.monotonic() < deadline
        time.sleep(0.05)
