"""The handler's process group: started ahead of time or afresh, signalled and reaped as a whole."""

# ruff: noqa: PTH100, PTH118, PTH120, PTH123 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from runner.child import LAYER_ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from queue import SimpleQueue
    from resource import struct_rusage

    from runner.supervise import Happening

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "child.py")
_MASK: tuple[int, ...] = ()
_OUT_OF_MEMORY_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


class Child:
    """One process that becomes the runtime, the leader of its own group; stdout and stderr are the runner's."""

    def __init__(self, pid: int, pipe: int | None = None) -> None:
        self.pid = pid
        self._pipe = pipe

    @classmethod
    def ahead(cls, environment: Mapping[str, str], layer_root: str) -> Child:
        """Start an interpreter that waits for `release`."""
        read, write = os.pipe()
        os.set_inheritable(read, True)  # noqa: FBT003 -- the standard library's signature
        pid = _spawn([sys.executable, _SCRIPT, str(read)], {**environment, LAYER_ROOT: layer_root})
        os.close(read)
        return cls(pid, write)

    @classmethod
    def fresh(cls, environment: Mapping[str, str], layer_root: str) -> Child:
        """Start one that has its environment from the start, through AWS_LAMBDA_EXEC_WRAPPER if that is set."""
        command = [sys.executable, _SCRIPT]
        wrapper = environment.get("AWS_LAMBDA_EXEC_WRAPPER")
        return cls(_spawn([wrapper, *command] if wrapper else command, {**environment, LAYER_ROOT: layer_root}))

    def release(self, environment: Mapping[str, str]) -> None:
        """Let a process that was started ahead go on in this environment."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            try:
                with open(pipe, "wb") as file:
                    file.write(json.dumps(dict(environment)).encode())
            except BrokenPipeError:
                return  # it is dead already, and whoever watches it is told

    def discard(self) -> None:
        """Make away with a process that was started ahead and is not needed."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        self.signal(signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, if any of it is left."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def watch(self, happenings: SimpleQueue[Happening]) -> None:
        """Report the process's end into the queue, from a thread of its own."""

        def wait() -> None:
            _, status, usage = os.wait4(self.pid, 0)
            happenings.put(("exit", Exit(os.waitstatus_to_exitcode(status), usage)))

        threading.Thread(target=wait, name="reaper", daemon=True).start()


class Exit:
    """How the process ended: `code` is its exit status, negative for a signal; its peak memory in MiB."""

    def __init__(self, code: int, usage: struct_rusage) -> None:
        self.code = code
        self.peak_mib = usage.ru_maxrss // 1024


def _spawn(command: list[str], environment: Mapping[str, str]) -> int:
    return os.posix_spawnp(
        command[0],
        command,
        environment,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
        setpgroup=0,
        setsigmask=_MASK,
    )


def out_of_memory_kills(counters: tuple[str, ...] = _OUT_OF_MEMORY_COUNTERS) -> int:
    """Count the processes that the kernel has killed in this container for want of memory; 0 where it does not say."""
    for path in counters:
        try:
            with open(path, encoding="ascii") as file:
                counts = dict(line.split() for line in file)
        except (OSError, ValueError):
            continue
        return int(counts.get("oom_kill", "0"))
    return 0
