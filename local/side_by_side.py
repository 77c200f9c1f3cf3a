"""Two test runs side by side: the end-to-end tests, which often wait, and beside them all others, which compute.

The first one's output is shown while it is made, the other's in one piece at the end.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PYTEST = (sys.executable, "-m", "pytest")
END_TO_END = (*PYTEST, "tests/e2e")
OTHERS = (*PYTEST, "--ignore=tests/e2e", "-o", "cache_dir=.pytest_cache/others")
INTERRUPTED = 130


def main() -> int:
    """Run both; 0 where both went well."""
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    return run(END_TO_END, OTHERS, sys.stdout.buffer)


def run(shown: Sequence[str], beside: Sequence[str], out: BinaryIO) -> int:
    """Run two commands to their ends, whatever becomes of the other; Ctrl-C ends both, and waits for what they undo.

    Returns the first status that is not 0.
    """
    with tempfile.TemporaryFile() as log:
        with _process(shown) as first, _process(beside, log) as second:
            interrupted = False
            while True:
                try:
                    statuses = [first.wait(), second.wait()]
                    break
                except KeyboardInterrupt:
                    interrupted = True
                    for process in (first, second):
                        process.send_signal(signal.SIGINT)
        out.write(f"\n{' '.join(beside)}\n\n".encode())
        log.seek(0)
        shutil.copyfileobj(log, out)
        for command, status in zip((shown, beside), statuses, strict=True):
            said = "FAILED" if status else "ok    "
            out.write(f"{said}  {' '.join(command)}\n".encode())
        out.flush()
    return INTERRUPTED if interrupted else next(filter(None, statuses), 0)


@contextlib.contextmanager
def _process(command: Sequence[str], log: BinaryIO | None = None) -> Iterator[subprocess.Popen[bytes]]:
    # A session of its own: Ctrl-C reaches it once, through us. A second one would cut short what pytest undoes.
    errors = subprocess.STDOUT if log else None
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=errors, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
