"""The container's log: the output of the handler's process, with the runner's own lines in between.

The handler's process writes to pipes, as on Lambda, and one thread copies them to the container's stdout and stderr. So
the runner knows whether a line of the handler is unfinished, and the handler cannot change the container's descriptors.
Nothing here raises an error, and the log blocks the runner for at most `AT_MOST_SECONDS`: a line that cannot be written
is dropped.
"""

from __future__ import annotations

import os
import select
import threading
from queue import SimpleQueue

from overtime.runner.frames import Records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STDOUT, STDERR = 1, 2
AT_MOST_SECONDS = 5.0
"""How long the runner waits until a line of its own is written."""
_PIECE = 1 << 16
_REST = 1 << 20
"""The limit in bytes when a pipe is emptied, above its capacity, because a process may still be writing to it."""
_OWN = -1


class Log:
    """Copies everything in order. The handler's process gets the descriptors `stdout`, `stderr` and `records`.

    `own` is the descriptor for the runner's lines; `inner` replaces newlines within a record of the runtime.
    """

    def __init__(self, own: int, inner: bytes) -> None:
        self._own = own
        (out, self.stdout), (err, self.stderr), (framed, self.records) = os.pipe(), os.pipe(), os.pipe()
        self._wake, self._waker = os.pipe()
        self._sources: dict[int, tuple[int, Callable[[bytes], bytes]]] = {
            out: (STDOUT, bytes),
            framed: (STDOUT, Records(inner).lines),
            err: (STDERR, bytes),
        }
        self._unfinished: dict[object, int] = {}
        self._lines: SimpleQueue[tuple[str, bool, threading.Event]] = SimpleQueue()
        self._closed = False
        self._patience = AT_MOST_SECONDS
        threading.Thread(target=self._carry, name="log", daemon=True).start()

    def say(self, text: str) -> None:
        """Write lines of the runner, after all that the handler has written so far."""
        self._put(text, last=False)

    def close(self, text: str = "") -> None:
        """Write the rest of the handler's output, finish its lines, write the runner's last ones, and stop."""
        if not self._closed:
            self._closed = True
            self._put(text, last=True)

    def _put(self, text: str, *, last: bool) -> None:
        done = threading.Event()
        self._lines.put((text, last, done))
        os.write(self._waker, b"\n")
        if not done.wait(self._patience):
            self._patience = 0  # it is blocked; do not wait again

    def _carry(self) -> None:
        poll = select.poll()
        for source in (self._wake, *self._sources):
            os.set_blocking(source, False)
            poll.register(source, select.POLLIN)
        last = False
        while not last:
            ready = [source for source, _ in poll.poll()]
            if self._wake not in ready:
                for source in ready:
                    self._carry_from(source, _PIECE)
                continue
            os.read(self._wake, 1)
            text, last, done = self._lines.get()
            for source in self._sources:
                self._carry_from(source, _REST)
            if last:
                for target in (STDOUT, STDERR):
                    self._finish_line(target)
            self._write(_OWN, self._own, text.encode("utf-8", "backslashreplace"))
            done.set()
        for source in self._sources:
            os.close(source)

    def _carry_from(self, source: int, at_most: int) -> None:
        target, lines = self._sources[source]
        for piece in pieces(source, at_most):
            self._write(source, target, lines(piece))

    def _finish_line(self, target: int) -> None:
        if self._unfinished.pop(_place(target), None) is not None:
            _write(target, b"\n")

    def _write(self, source: int, target: int, data: bytes) -> None:
        """Write data; if another source has left a line unfinished, end that line first."""
        if not data:
            return
        place = _place(target)
        if self._unfinished.get(place, source) != source:
            self._finish_line(target)
        _write(target, data)
        if data.endswith(b"\n"):
            self._unfinished.pop(place, None)
        else:
            self._unfinished[place] = source


def pieces(source: int, at_most: int) -> Iterator[bytes]:
    """Yield what a non-blocking descriptor contains now, up to about `at_most` bytes, because a writer may go on."""
    while at_most > 0:
        try:
            piece = os.read(source, _PIECE)
        except BlockingIOError:
            return
        at_most -= len(piece)
        yield piece


def last_words(text: str, target: int = STDERR) -> None:
    """Write a line before a Log exists, or after it is closed."""
    writing = threading.Thread(target=_write, args=(target, text.encode("utf-8", "backslashreplace")), daemon=True)
    try:
        writing.start()
    except RuntimeError:
        return  # the container's limit of threads is reached
    writing.join(AT_MOST_SECONDS)


def _place(target: int) -> object:
    """Return an identity of a descriptor's file: on a terminal, stdout and stderr are the same."""
    try:
        status = os.fstat(target)
    except OSError:
        return target
    return status.st_dev, status.st_ino


def write_all(target: int, data: bytes) -> None:
    """Write to a descriptor, however long it takes. Raise OSError."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(target, left) :]
        except BlockingIOError:  # another process that shares the descriptor has made it non-blocking
            poll = select.poll()
            poll.register(target, select.POLLOUT)
            poll.poll()


def _write(target: int, data: bytes) -> None:
    try:
        write_all(target, data)
    except OSError:
        return  # nobody reads, or the disk is full: the log has a gap, but the run continues
