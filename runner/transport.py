"""A small HTTP/1.1 client with persistent connections: only what the runner needs, because imports cost time."""

from __future__ import annotations

import socket
import time
from io import BufferedReader

from overtime.runner.http_reader import HttpReader, chunked, size
from overtime.runner.trust import tls_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed import WriteableBuffer

CONNECT_SECONDS = 5
READ_SECONDS = 60
EXCHANGE_SECONDS = 600
"""The limit of a whole answer, because a slow trickle never exceeds the limit of a single read."""
_IDLE_SECONDS = 20
"""How long an idle connection is reused: a NAT gateway, say, may have dropped an older one silently."""
_PIECE = 1 << 20
_LARGEST_BODY = 1 << 29
"""In bytes: more than any archive that Lambda accepts (250 MB unpacked), but less than a corrupt length may claim."""
_STATUSES, _INTERIM = range(100, 600), range(100, 200)


class TransportError(OSError):
    """A connection failed, broke, or did not speak HTTP; a retry may help."""


class Response:
    """An answer; header names are in lower case."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytearray) -> None:
        self.status, self.headers, self.body = status, headers, body


class Url:
    """The parts of an http(s) URL that a request needs. Raises ValueError for any other text."""

    def __init__(self, text: str) -> None:
        self.scheme, separator, rest = text.partition("://")
        if self.scheme not in ("http", "https") or not separator:
            raise ValueError(f"{text!r} is not an http or https URL")
        self.host, slash, target = rest.partition("/")
        self.target = slash + target or "/"
        name, _, port = self.host.rpartition(":")
        bare = not name or self.host.endswith("]")
        self.name = (self.host if bare else name).strip("[]")
        self.port = (443 if self.scheme == "https" else 80) if bare else int(port)


class Client:
    """Sends one request at a time, and keeps the connection to each host open. Use one per thread."""

    def __init__(self, ca_bundle: str | None = None) -> None:
        self._ca_bundle = ca_bundle
        self._open: dict[tuple[str, str], tuple[_Connection, float]] = {}

    def send(  # noqa: PLR0913 -- the parts of a request, by keyword
        self,
        url: Url,
        *,
        method: str = "GET",
        target: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        observe: Callable[[memoryview], object] | None = None,
    ) -> Response:
        """Return the answer, whatever its status. Raise TransportError. `observe` gets the body's pieces at once."""
        key = (url.scheme, url.host)
        try:
            connection = self._kept(key) or _Connection(url, self._ca_bundle)
            try:
                response = connection.exchange(method, target or url.target, headers or {}, body, observe)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise TransportError(f"{url.scheme}://{url.host}: {error}") from error
        except ValueError as error:
            raise TransportError(f"{url.scheme}://{url.host} did not answer in HTTP: {error}") from error
        if response.headers.get("connection", "").lower() == "close":
            connection.close()
        else:
            self._open[key] = connection, time.monotonic()
        return response

    def close(self) -> None:
        """Close all connections."""
        while self._open:
            self._open.popitem()[1][0].close()

    def _kept(self, key: tuple[str, str]) -> _Connection | None:
        connection, since = self._open.pop(key, (None, 0.0))
        if connection is not None and time.monotonic() - since > _IDLE_SECONDS:
            connection.close()
            return None
        return connection


class _Connection:
    def __init__(self, url: Url, ca_bundle: str | None) -> None:
        self._host = url.host
        name = url.name.encode("ascii")  # a text would be converted by modules that nothing else needs
        self._socket = socket.create_connection((name, url.port), timeout=CONNECT_SECONDS)  # type: ignore[arg-type]
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if url.scheme == "https":
            self._socket = tls_context(ca_bundle).wrap_socket(self._socket, server_hostname=name)
        self._socket.settimeout(READ_SECONDS)
        self._incoming = _Incoming(self._socket)
        self._reader = HttpReader(BufferedReader(self._incoming))

    def close(self) -> None:
        self._reader.stream.close()
        self._socket.close()

    def exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        observe: Callable[[memoryview], object] | None,
    ) -> Response:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if "host" not in headers:
            lines.append(f"host: {self._host}")
        lines += [f"content-length: {len(body)}", "", ""]
        self._incoming.end = time.monotonic() + EXCHANGE_SECONDS
        self._socket.settimeout(READ_SECONDS)
        self._socket.sendall("\r\n".join(lines).encode("latin-1") + body)
        status = _INTERIM.start
        while status in _INTERIM:  # such as "100 Continue", before the actual answer
            status, answer_headers = self._head()
        if method == "HEAD" or status in (204, 304):
            return Response(status, answer_headers, bytearray())
        return Response(status, answer_headers, self._body(answer_headers, observe))

    def _head(self) -> tuple[int, dict[str, str]]:
        if not self._reader.stream.peek(1):
            raise ConnectionResetError("the connection was closed without an answer")
        version, _, rest = self._reader.line().partition(b" ")
        if not version.startswith(b"HTTP/1.") or (status := int(rest[:3])) not in _STATUSES:
            raise ValueError(f"the answer begins with {version[:40]!r}")
        return status, self._reader.fields()

    def _body(self, headers: dict[str, str], observe: Callable[[memoryview], object] | None) -> bytearray:
        body = bytearray()
        if chunked(headers):
            for chunk in self._reader.chunks():
                _check(len(body) + chunk)
                body += self._exactly(chunk, observe)
            self._reader.fields()  # trailers are not needed
            return body
        if "content-length" in headers:
            length = size(headers["content-length"].encode("latin-1"))
            _check(length)
            return self._exactly(length, observe)
        # The body ends with the connection, which may have ended too early, so the caller has to check it.
        headers["connection"] = "close"
        while piece := self._reader.stream.read1(_PIECE):
            body += piece
            _check(len(body))
        if observe:
            observe(memoryview(body))
        return body

    def _exactly(self, length: int, observe: Callable[[memoryview], object] | None) -> bytearray:
        body = bytearray(length)
        view = memoryview(body)
        done = 0
        while done < length:
            count = self._reader.stream.readinto1(view[done : done + _PIECE])
            if not count:
                raise ConnectionResetError(f"the connection was closed after {done} of {length} bytes")
            if observe:
                observe(view[done : done + count])
            done += count
        view.release()
        return body


class _Incoming(socket.SocketIO):
    """A socket's input, with a limit for each read and, as `end` by the monotonic clock, one for all."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(connected, "r")
        self._connected = connected
        self.end = 0.0

    def readinto(self, into: WriteableBuffer) -> int | None:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the answer was not complete after {EXCHANGE_SECONDS} s")
        self._connected.settimeout(min(left, READ_SECONDS))
        return super().readinto(into)


def _check(length: int) -> None:
    if length > _LARGEST_BODY:
        raise ValueError(f"{length} bytes are more than the limit of {_LARGEST_BODY}")
