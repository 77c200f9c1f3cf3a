"""Lambda's Runtime API for a single invocation, on a port of 127.0.0.1.

Source: "Using the Lambda runtime API for custom runtimes" in the AWS Lambda guide; for its answers to wrong calls, the
router and the states of AWS's Runtime Interface Emulator, whose Runtime API is Lambda's own.
"""

from __future__ import annotations

import json
import socket
import threading

from overtime.contract import error_types
from overtime.runner.http_reader import HttpReader
from overtime.runner.messages import Answer
from overtime.runner.runtime_answer import read_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from queue import SimpleQueue

    from overtime.runner.messages import Message

LARGEST_RESULT = 6_291_556
"""Lambda's limit of a result in bytes: 6 MiB + 100."""

_ROOT = "/2018-06-01/runtime"
_NEXT, _INIT_ERROR, _INVOCATION = f"{_ROOT}/invocation/next", f"{_ROOT}/init/error", f"{_ROOT}/invocation/"
_LONGEST_LINE = 1 << 21
"""In bytes: a header may contain an X-Ray cause, which has a limit of 1 MiB."""
_PAUSE = 0.1
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
}


class NextInvocation:
    """The one answer to `next`: the unchanged event, and the headers that become the handler's context."""

    def __init__(self, request_id: str, event: bytes, headers: Mapping[str, str]) -> None:
        self.request_id, self.event, self.headers = request_id, event, headers


class _Reply:
    def __init__(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.content, self.headers = status, content, headers or {}

    def encoded(self) -> bytes:
        head = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}", "Content-Type: application/json"]
        head += [f"Content-Length: {len(self.content)}", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + self.content


_ACCEPTED = _Reply(202, b'{"status":"OK"}\n')


class RuntimeApi:
    """Serves one invocation, and reports the runtime's calls in `messages`.

    `begin` is called just before the event is returned, so its output precedes the handler's.
    """

    def __init__(self, invocation: NextInvocation, messages: SimpleQueue[Message], begin: Callable[[], None]) -> None:
        self._invocation, self._messages, self._begin = invocation, messages, begin
        self._handed_out = self._answered = self._truncated = False
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, name="runtime-api", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Accept no more calls."""
        self._closed.set()
        # Only wakes the acceptor, which closes the socket itself: a descriptor that is closed under a thread may have
        # become another socket's by the time the thread uses it.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # closed already

    def _accept(self) -> None:
        with self._listener:
            while not self._closed.is_set():
                try:
                    connection, _ = self._listener.accept()
                except OSError:
                    self._closed.wait(_PAUSE)  # may be temporary, such as too many open files
                    continue
                try:
                    threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
                except RuntimeError:
                    self._serve(connection)  # the handler has used up the limit of threads

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = HttpReader(stream, _LONGEST_LINE)
            try:
                while stream.peek(1) and self._exchange(connection, reader):
                    pass
            except (OSError, ValueError):
                return  # the caller has hung up or does not speak HTTP; the process's end is reported anyway

    def _exchange(self, connection: socket.socket, reader: HttpReader) -> bool:
        """Answer one request, and return whether another may follow on the connection."""
        method, target, version = reader.line().decode("latin-1").split(" ", 2)
        fields = reader.fields()
        if fields.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        path = target.partition("?")[0]
        kind = self._kind(path)
        try:
            answer = read_answer(reader, fields, kind, largest=LARGEST_RESULT)
        except (OSError, ValueError):
            self._truncated = self._truncated or kind == "response"
            raise
        connection.sendall(self._reply(method, path, kind, answer).encoded())
        wish = fields.get("connection", "").lower()
        return wish != "close" and (version != "HTTP/1.0" or wish == "keep-alive")

    def _kind(self, path: str) -> str:
        """Return which call a path is, or an empty string for an unknown one."""
        if path in (_NEXT, _INIT_ERROR):
            return "next" if path == _NEXT else "init_error"
        if path.startswith(_INVOCATION):
            request_id, _, action = path.removeprefix(_INVOCATION).partition("/")
            if action in ("response", "error"):
                return action if request_id == self._invocation.request_id else "other"
        return ""

    def _reply(self, method: str, path: str, kind: str, answer: Answer) -> _Reply:
        if not kind:
            return _refusal(404, "NotFound", f"{path} is not part of the Runtime API")
        if method != ("GET" if kind == "next" else "POST"):
            return _refusal(405, "MethodNotAllowed", f"{method} is not a method of {path}")
        if kind == "next":
            return self._next()
        if kind == "other":
            return _refusal(400, "InvalidRequestID", "Invalid request ID")
        return self._take(answer)

    def _next(self) -> _Reply:
        with self._lock:
            first, self._handed_out = not self._handed_out, True
            gave_up = self._truncated and not self._answered
            self._answered = self._answered or gave_up
        if not first:
            if gave_up:  # it has broken off its response and lives, so nothing else would end the run before its limit
                self._messages.put(("answer", Answer("error", b"", 0, error_types.TRUNCATED_RESPONSE)))
            self._messages.put(("idle", None))
            # There is no second invocation: the process is about to be killed. Lambda would hand the event out again to
            # a runtime that has not answered, but a handler runs only once per task attempt.
            self._closed.wait()
            raise ConnectionAbortedError
        self._begin()
        self._messages.put(("begun", None))
        return _Reply(200, self._invocation.event, self._invocation.headers)

    def _take(self, answer: Answer) -> _Reply:
        with self._lock:
            allowed = not self._answered and self._handed_out is (answer.kind != "init_error")
            self._answered = self._answered or allowed
        if not allowed:
            return _refusal(403, "InvalidStateTransition", "State transition is not allowed")
        self._messages.put(("answer", answer))
        if answer.size > LARGEST_RESULT:
            text = f"Exceeded maximum allowed payload size ({LARGEST_RESULT} bytes)."
            return _refusal(413, "RequestEntityTooLarge", text)
        if answer.error_type == error_types.INVALID_RESPONSE_MODE:
            return _refusal(400, "InvalidFunctionResponseMode", "Invalid function response mode")
        return _ACCEPTED


def _refusal(status: int, kind: str, text: str) -> _Reply:
    return _Reply(status, json.dumps({"errorMessage": text, "errorType": kind}).encode())
