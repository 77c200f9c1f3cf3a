"""A small HTTP/1.1 client over kept connections: what the runner needs of one, without the cost of importing more."""

from __future__ import annotations

import socket
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import BufferedReader
    from ssl import SSLContext

CONNECT_SECONDS = 5
READ_SECONDS = 60
_PIECE = 1 << 20
_LONGEST_LINE = 65_536

_tls_lock = threading.Lock()
_tls_contexts: dict[str, SSLContext] = {}


class TransportError(OSError):
    """A connection that could not be made, broke, or did not speak HTTP; trying again may help."""


class Response:
    """What came back; header names are in lower case."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytearray) -> None:
        self.status, self.headers, self.body = status, headers, body


class Url:
    """The parts of an http(s) address that a request needs. Raises ValueError for any other text."""

    def __init__(self, text: str) -> None:
        self.scheme, separator, rest = text.partition("://")
        if self.scheme not in ("http", "https") or not separator:
            raise ValueError(f"{text!r} is no http or https address")
        self.host, slash, target = rest.partition("/")
        self.target = slash + target or "/"
        name, _, port = self.host.rpartition(":")
        bare = not name or self.host.endswith("]")
        self.name = (self.host if bare else name).strip("[]")
        self.port = (443 if self.scheme == "https" else 80) if bare else int(port)


class Client:
    """Sends one request at a time and keeps the connection to each host open. Use one per thread."""

    def __init__(self, ca_bundle: str | None = None) -> None:
        self._ca_bundle = ca_bundle
        self._open: dict[tuple[str, str], _Connection] = {}

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
        """Return the answer, whatever its status; `observe` sees the body's pieces as they arrive.

        Raises TransportError.
        """
        key = (url.scheme, url.host)
        kept = self._open.pop(key, None)
        try:
            connection = kept or _Connection(url, self._ca_bundle)
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
            self._open[key] = connection
        return response

    def close(self) -> None:
        """Let go of every connection."""
        while self._open:
            self._open.popitem()[1].close()


class _Connection:
    def __init__(self, url: Url, ca_bundle: str | None) -> None:
        self._host = url.host
        self._socket = socket.create_connection((url.name, url.port), timeout=CONNECT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if url.scheme == "https":
            self._socket = _tls(ca_bundle).wrap_socket(self._socket, server_hostname=url.name)
        self._socket.settimeout(READ_SECONDS)
        self._reader: BufferedReader = self._socket.makefile("rb")

    def close(self) -> None:
        self._reader.close()
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
        self._socket.sendall("\r\n".join(lines).encode("latin-1") + body)
        status = 100
        while status == 100:  # noqa: PLR2004 -- "100 Continue" precedes the real answer
            status, answer_headers = self._head()
        if method == "HEAD" or status in (204, 304):
            return Response(status, answer_headers, bytearray())
        return Response(status, answer_headers, self._body(answer_headers, observe))

    def _head(self) -> tuple[int, dict[str, str]]:
        first = self._reader.readline(_LONGEST_LINE)
        if not first:
            raise ConnectionResetError("the connection was closed before an answer came")
        status = int(first.split(None, 2)[1]) if first.startswith(b"HTTP/1.") else 0
        if not status:
            raise ValueError(f"it began with {first[:40]!r}")
        headers = {}
        while (line := self._reader.readline(_LONGEST_LINE).decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return status, headers

    def _body(self, headers: dict[str, str], observe: Callable[[memoryview], object] | None) -> bytearray:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = bytearray()
            while size := int(self._reader.readline(_LONGEST_LINE).split(b";")[0], 16):
                body += self._exactly(size, observe)
                self._reader.readline(_LONGEST_LINE)
            while self._reader.readline(_LONGEST_LINE).strip():
                pass
            return body
        if "content-length" not in headers:  # then the end of the connection is the end of the body
            headers["connection"] = "close"
            body = bytearray(self._reader.read())
            if observe:
                observe(memoryview(body))
            return body
        return self._exactly(int(headers["content-length"]), observe)

    def _exactly(self, size: int, observe: Callable[[memoryview], object] | None) -> bytearray:
        body = bytearray(size)
        view = memoryview(body)
        done = 0
        while done < size:
            count = self._reader.readinto(view[done : done + _PIECE])
            if not count:
                raise ConnectionResetError(f"the connection was closed after {done} of {size} bytes")
            if observe:
                observe(view[done : done + count])
            done += count
        view.release()
        return body


def _tls(ca_bundle: str | None) -> SSLContext:
    import ssl  # noqa: PLC0415 -- 10 ms that a plain http endpoint need not pay

    with _tls_lock:
        key = ca_bundle or ""
        if key not in _tls_contexts:
            _tls_contexts[key] = ssl.create_default_context(cafile=ca_bundle)
        return _tls_contexts[key]
