"""The handler's process group: started ahead or fresh, signalled and reaped as a whole."""

# ruff: noqa: PTH123 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import json
import os
import signal
import threading

from overtime.runner.handler_environment import RECORDS
from overtime.runner.messages import Exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from queue import SimpleQueue

    from overtime.runner.log import Log
    from overtime.runner.messages import Message

_MASK: tuple[int, ...] = ()
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these signals; programs that a wrapper script starts expect the default."""
_OUT_OF_MEMORY_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


class Child:
    """A process that becomes the runtime and leads its own group; it writes to the log's pipes."""

    def __init__(self, pid: int, pipe: int | None = None) -> None:
        self.pid = pid
        self._pipe = pipe
        self._exit: Exit | None = None
        self._reaper: threading.Thread | None = None

    @classmethod
    def ahead(cls, command: list[str], environment: Mapping[str, str], log: Log) -> Child:
        """Start an interpreter that waits for `release`; the command's last argument will be a descriptor."""
        read, write = os.pipe()
        os.set_inheritable(read, True)  # noqa: FBT003 -- the standard library's signature
        try:
            return cls(_spawn([*command, str(read)], environment, log), write)
        finally:
            os.close(read)

    @classmethod
    def fresh(cls, command: list[str], environment: Mapping[str, str], folder: str, log: Log) -> Child:
        """Start a process with its final environment in the code's folder. Raise OSError."""
        here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
        try:
            os.chdir(folder)
            return cls(_spawn(command, environment, log))
        finally:
            os.fchdir(here)
            os.close(here)

    def release(self, environment: Mapping[str, str]) -> None:
        """Let a process that was started ahead continue in this environment."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            try:
                with open(pipe, "wb") as file:
                    file.write(json.dumps(dict(environment)).encode())
            except BrokenPipeError:
                return  # it is dead, which `watch` reports

    def discard(self) -> None:
        """Kill a process that was started ahead and is not needed, without waiting for its end."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, and to the process itself if it has left its group."""
        for send in (os.killpg, os.kill) if self._has_left_its_group() else (os.killpg,):
            try:
                send(self.pid, number)
            except (ProcessLookupError, PermissionError):
                continue  # no process is left

    def _has_left_its_group(self) -> bool:
        try:
            return self._exit is None and os.getpgid(self.pid) != self.pid
        except ProcessLookupError:
            return False

    def watch(self, messages: SimpleQueue[Message]) -> None:
        """Report the process's end on the queue, from a separate thread; if that fails, `ended` still returns it."""

        def wait() -> None:
            self._exit = self._collected(0)
            if self._exit is not None:
                messages.put(("exit", self._exit))

        self._reaper = threading.Thread(target=wait, name="reaper", daemon=True)
        try:
            self._reaper.start()
        except RuntimeError:
            return  # the container's limit of threads is reached

    def ended(self) -> Exit | None:
        """Return how the process ended, or None if it is still running. Does not wait."""
        unwatched = self._reaper is None or not self._reaper.is_alive()
        if self._exit is None and unwatched:
            self._exit = self._collected(os.WNOHANG)
        return self._exit

    def _collected(self, options: int) -> Exit | None:
        try:
            pid, status, usage = os.wait4(self.pid, options)
        except ChildProcessError:
            return Exit(0)  # it was reaped elsewhere, so its exit status is unknown
        return Exit(os.waitstatus_to_exitcode(status), usage) if pid else None


def _spawn(command: list[str], environment: Mapping[str, str], log: Log) -> int:
    pid = os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log.stdout, 1),
            (os.POSIX_SPAWN_DUP2, log.stderr, 2),
            (os.POSIX_SPAWN_DUP2, log.records, RECORDS),
        ],
        setpgroup=0,
        setsigmask=_MASK,
        setsigdef=_IGNORED_BY_PYTHON,
    )
    try:  # if memory runs out, the kernel should kill the handler and not the runner, which must report it
        with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        return pid  # without this, the kernel kills the larger process, which is usually the handler anyway
    return pid


def out_of_memory_kills(counters: tuple[str, ...] = _OUT_OF_MEMORY_COUNTERS) -> int:
    """Return the number of processes that the kernel has killed in this container for lack of memory; 0 if unknown."""
    for path in counters:
        try:
            with open(path, encoding="ascii") as file:
                counts = dict(line.split() for line in file)
        except (OSError, ValueError):
            continue
        return int(counts.get("oom_kill", "0"))
    return 0
