"""Lambda's Runtime API for a single invocation, on a port of 127.0.0.1 ("Lambda runtime API", AWS Lambda guide)."""

from __future__ import annotations

import json
import socket
import threading

from overtime.runner.messages import Answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import BufferedReader
    from queue import SimpleQueue

    from overtime.runner.messages import Message

LARGEST_RESULT = 6_291_556
"""Lambda's limit of a result in bytes: 6 MiB + 100."""

_ROOT = "/2018-06-01/runtime"
_PIECE, _LONGEST_LINE = 1 << 16, 1 << 21
_PAUSE = 0.1
_JSON = "Content-Type: application/json"
_REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found", 413: "Request Entity Too Large"}


class NextInvocation:
    """The one answer to `next`: the unchanged event, and the headers that become the handler's context."""

    def __init__(self, request_id: str, event: bytes, headers: Mapping[str, str]) -> None:
        self.request_id, self.event, self.headers = request_id, event, headers


class RuntimeApi:
    """Serves one invocation, and reports the runtime's calls in `messages`.

    `begin` is called just before the event is returned, so its output precedes the handler's.
    """

    def __init__(self, invocation: NextInvocation, messages: SimpleQueue[Message], begin: Callable[[], None]) -> None:
        self._invocation, self._messages, self._begin = invocation, messages, begin
        self._handed_out = False
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
        with connection, connection.makefile("rb") as reader:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while reader.peek(1):
                    method, target, _ = _line(reader).split(" ", 2)
                    headers = _headers(reader)
                    if headers.get("expect", "").lower() == "100-continue":
                        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                    body, size = _body(reader, headers)
                    status, extra, content = self._answer(method, target, body, size)
                    head = [f"HTTP/1.1 {status} {_REASONS[status]}", _JSON, f"Content-Length: {len(content)}"]
                    head += [f"{name}: {value}" for name, value in extra.items()]
                    connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + content)
            except (OSError, ValueError):
                return  # the caller has hung up or does not speak HTTP; the process's end is reported anyway

    def _answer(self, method: str, target: str, body: bytes, size: int) -> tuple[int, Mapping[str, str], bytes]:
        own = f"{_ROOT}/invocation/{self._invocation.request_id}"
        match method, target:
            case "GET", "/2018-06-01/runtime/invocation/next":
                return self._next()
            case "POST", "/2018-06-01/runtime/init/error":
                return self._take(Answer("init_error", body, size))
            case "POST", _ if target == f"{own}/error":
                return self._take(Answer("error", body, size))
            case "POST", _ if target == f"{own}/response":
                return self._take(Answer("response", body, size))
            case "POST", _ if target.startswith(f"{_ROOT}/invocation/"):
                return _refusal(400, "Invalid request ID", "InvalidRequestID")
            case _:
                return _refusal(404, f"{method} {target} is not part of the runtime API", "NotFound")

    def _next(self) -> tuple[int, Mapping[str, str], bytes]:
        with self._lock:
            first, self._handed_out = not self._handed_out, True
        if not first:
            self._messages.put(("idle", None))
            self._closed.wait()  # there is no second invocation: the process is about to be killed
            raise ConnectionAbortedError
        self._begin()
        self._messages.put(("begun", None))
        return 200, self._invocation.headers, self._invocation.event

    def _take(self, answer: Answer) -> tuple[int, Mapping[str, str], bytes]:
        self._messages.put(("answer", answer))
        if answer.size > LARGEST_RESULT:
            text = f"Exceeded maximum allowed payload size ({LARGEST_RESULT} bytes)."
            return _refusal(413, text, "RequestEntityTooLarge")
        return 202, {}, b'{"status":"OK"}\n'


def _line(reader: BufferedReader) -> str:
    """Return a line without its end. Raise ConnectionResetError if it is incomplete, because the runtime has died."""
    line = reader.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise ConnectionResetError("the runtime hung up in the middle of a line")
    return line.decode("latin-1").rstrip("\r\n")


def _headers(reader: BufferedReader) -> dict[str, str]:
    headers = {}
    while line := _line(reader):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return headers


def _body(reader: BufferedReader, headers: Mapping[str, str]) -> tuple[bytes, int]:
    """Read the whole body and return it with its size; it is only kept up to Lambda's limit."""
    kept, size = bytearray(), 0
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    left = int(_line(reader).partition(";")[0], 16) if chunked else int(headers.get("content-length", "0"))
    while left:
        piece = reader.read(max(0, min(left, _PIECE)))
        if not piece:
            raise ConnectionResetError("the runtime hung up in the middle of its answer")
        size += len(piece)
        left -= len(piece)
        if size <= LARGEST_RESULT:
            kept += piece
        if chunked and not left:
            _line(reader)
            left = int(_line(reader).partition(";")[0], 16)
    while chunked and _line(reader):
        pass  # trailers
    return bytes(kept), size


def _refusal(status: int, text: str, kind: str) -> tuple[int, Mapping[str, str], bytes]:
    return status, {}, json.dumps({"errorMessage": text, "errorType": kind}).encode()
