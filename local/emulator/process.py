"""The emulator's process: started on a free port of 127.0.0.1, waited for, stopped by its id."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Self

from local import paths, reach
from local.emulator.calls import read_calls
from local.emulator.settings import ROOT_ACCESS_KEY
from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from local.emulator.calls import Call
    from local.emulator.faults import Fault
    from local.emulator.settings import EmulatorSettings

START_SECONDS = 60
STOP_SECONDS = 20
LAST_LINES = 20


class Emulator:
    """AWS on this computer, as a context manager.

    Everything it starts (Lambda workers, containers) ends with it.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.port = 0
        self._paused = False
        self._relay = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """What to set as AWS_ENDPOINT_URL, on this computer and in containers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process id.

        Raises:
            LocalError: it is not running.

        """
        if self._process is None:
            raise LocalError("The emulator is not running. Call start(), or use it as a context manager.")
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What makes any AWS SDK talk to this emulator, as the account's root user."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_ACCESS_KEY,
            "AWS_REGION": self.settings.region,
            "AWS_DEFAULT_REGION": self.settings.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the server and wait until it answers; after `pause`, on the same port and with all that was.

        Raises:
            LocalError: it ended or did not answer in time, and the text holds the end of its log; or containers cannot
                reach it.

        """
        settings = self.settings
        (settings.state_folder / "tmp").mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", self.port if self._paused else 0)) as listener:
            self.port = listener.getsockname()[1]
            # The socket itself is handed over, so that nobody can take the port in between.
            with settings.log_file.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "local.emulator.server", str(listener.fileno())],
                    cwd=paths.REPOSITORY,
                    env=settings.environment(self.port, os.environ),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[listener.fileno()],
                    start_new_session=True,
                )
        self._paused = False
        self._wait_until_healthy(self._process)
        self._let_containers_in()
        return self

    def stop(self) -> None:
        """Stop the server, its workers and its containers; nothing happens when it is not running."""
        if self._paused:
            # Only the server knows its containers.
            self.start()
        self._end()
        if self._relay and self.settings.docker_host:
            reach.disconnect(self.settings.docker_host, self._relay)
            self._relay = ""

    def pause(self) -> None:
        """Stop the server as an outage would: its containers go on, and `start` finds everything again.

        Lambda functions that are at work end; events that were not dealt with are tried again after the start.
        """
        self.settings.keep_file.touch()
        self._end()
        self._paused = True

    def restart(self, down_seconds: float = 0) -> None:
        """Let AWS be gone for a while: who calls it meanwhile is refused the connection."""
        self.pause()
        time.sleep(down_seconds)
        self.start()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _let_containers_in(self) -> None:
        """Open the way from containers, where it is not there of itself and was not opened before a pause."""
        if not (self.settings.docker_host and self.settings.reach_with) or self._relay:
            return
        try:
            self._relay = reach.connect(self.settings.docker_host, self.settings.reach_with, self.port)
        except BaseException:
            self.stop()
            raise

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Make the next calls that match fail; counting starts anew."""
        temporary = self.settings.faults_file.with_suffix(".new")
        temporary.write_text(json.dumps(list(faults)))
        temporary.replace(self.settings.faults_file)

    def calls(self) -> list[Call]:
        """Say who called what so far.

        Raises:
            LocalError: calls are not recorded.

        """
        if not self.settings.record_calls:
            raise LocalError("The emulator keeps no record of calls. Set record_calls in its settings.")
        return read_calls(self.settings.calls_file)

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2):  # noqa: S310 - ours
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        status = process.poll()
        self.stop()
        ended = f"did not answer within {START_SECONDS} s" if status is None else f"ended with status {status}"
        tail = "\n".join(self.settings.log_file.read_text(errors="replace").splitlines()[-LAST_LINES:])
        raise LocalError(f"The emulator {ended}. Its log, {str(self.settings.log_file)!r}, ends with:\n{tail}")


def stop_process(pid: int) -> None:
    """Stop an emulator that another process started and left running."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
