"""Runs in the container, on the runner's own Python: starts one command after the other, and times their first line.

Each line of stdin is a command as JSON: `argv`, `env`, `cwd`, and `until_exit`, without which it is killed after the
line. The answer is a line with the monotonic times of start, first line and end, in nanoseconds.
"""

# ruff: noqa: PTH106, PTH108, PTH118 -- the runner's Python has no pathlib

import json
import os
import signal
import sys
import time

FOLDERS = ("/var/task", "/opt")
"""Emptied before each command, as in a new container."""


def main() -> None:
    """Carry out the commands."""
    for line in sys.stdin:
        for folder in FOLDERS:
            empty(folder)
        sys.stdout.write(json.dumps(timed(**json.loads(line))) + "\n")
        sys.stdout.flush()


def timed(argv: list[str], env: dict[str, str], cwd: str, *, until_exit: bool) -> dict[str, object]:
    """Run a command; its output has a line `FIRST <nanoseconds>`."""
    read, write = os.pipe()
    os.chdir(cwd)
    began = time.monotonic_ns()
    pid = os.posix_spawn(
        argv[0], argv, env, file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_DUP2, write, 2)], setpgroup=0
    )
    os.close(write)
    output = b""
    with os.fdopen(read, "rb") as stream:
        for line in stream:
            output += line
            if b"FIRST " in line and not until_exit:
                os.killpg(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {"began": began, "ended": time.monotonic_ns(), "status": status, "output": output.decode(errors="replace")}


def empty(folder: str) -> None:
    """Remove all that is in a folder."""
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(os.path.join(place, name))
        for name in folders:
            os.rmdir(os.path.join(place, name))


if __name__ == "__main__":
    main()
