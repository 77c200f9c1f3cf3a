"""The container's log: what the handler's process writes, and the runner's own lines between it.

The handler's process writes into pipes, as on Lambda, and one thread carries them to the container's stdout and stderr.
So the runner knows where a line of the handler's is unfinished, and nothing that the handler does to its descriptors
reaches the container's. Nothing here raises, and nobody waits for the log longer than `AT_MOST_SECONDS`: a line that
cannot be written is dropped.
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
"""How long the runner waits for a line of its own."""
_PIECE = 1 << 16
_REST = 1 << 20
"""Bytes to read of a pipe that is to be emptied: more than it holds, because somebody may still be writing."""
_OWN = -1


class Log:
    """Carries everything in order. The handler's process gets the descriptors `stdout`, `stderr` and `records`.

    `own` is where the runner's lines go; `inner` is what a newline within a record of the runtime's becomes.
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
        """Write lines of the runner's after all that the handler has written by now."""
        self._put(text, last=False)

    def close(self, text: str = "") -> None:
        """Write what is left of the handler's, finish its lines, and write the runner's last; then nothing more."""
        if not self._closed:
            self._closed = True
            self._put(text, last=True)

    def _put(self, text: str, *, last: bool) -> None:
        done = threading.Event()
        self._lines.put((text, last, done))
        os.write(self._waker, b"\n")
        if not done.wait(self._patience):
            self._patience = 0  # it is stuck, and has been waited for

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
        """Write so that nothing goes on with a line that another source has left unfinished."""
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
    """Read what a descriptor that does not wait holds by now, or about so many bytes of it: it may be without end."""
    while at_most > 0:
        try:
            piece = os.read(source, _PIECE)
        except BlockingIOError:
            return
        at_most -= len(piece)
        yield piece


def last_words(text: str, target: int = STDERR) -> None:
    """Write a line where there is no Log any more, or none yet."""
    writing = threading.Thread(target=_write, args=(target, text.encode("utf-8", "backslashreplace")), daemon=True)
    try:
        writing.start()
    except RuntimeError:
        return  # the container has no more threads to give
    writing.join(AT_MOST_SECONDS)


def _place(target: int) -> object:
    """Name what a descriptor writes to: on a terminal, stdout and stderr are one."""
    try:
        status = os.fstat(target)
    except OSError:
        return target
    return status.st_dev, status.st_ino


def write_all(target: int, data: bytes) -> None:
    """Write to a descriptor, however long it takes. Raises OSError."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(target, left) :]
        except BlockingIOError:  # somebody who shares it has made it so
            poll = select.poll()
            poll.register(target, select.POLLOUT)
            poll.poll()


def _write(target: int, data: bytes) -> None:
    try:
        write_all(target, data)
    except OSError:
        return  # nobody reads, or the disk is full: the log has a gap, and the run goes on
