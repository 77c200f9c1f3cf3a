"""The small HTTP client: addresses, kept connections, and the ways in which a body can end."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from runner.transport import Client, TransportError, Url

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def answering(*connections: list[bytes]) -> Iterator[Url]:
    """Serve: of each connection, one answer for each request; then it is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answers in connections:
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as reader:
                    for answer in answers:
                        while reader.readline().strip():
                            pass
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Url(f"http://127.0.0.1:{server.getsockname()[1]}/path")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n",
            b"hello",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
def test_a_body_is_read_to_its_end(answer: bytes, body: bytes) -> None:
    seen = bytearray()
    with answering([answer]) as url:
        response = Client().send(url, observe=seen.extend)
    assert (response.status, bytes(response.body), bytes(seen)) == (200, body, body)


def test_a_connection_is_kept_for_the_next_request() -> None:
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    with answering([one + b"1", one + b"2"]) as url:
        client = Client()
        assert [bytes(client.send(url).body) for _ in range(2)] == [b"1", b"2"]


def test_a_connection_that_the_server_closes_is_not_kept() -> None:
    one = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
    with answering([one + b"1"], [one + b"2"]) as url:
        client = Client()
        assert [bytes(client.send(url).body) for _ in range(2)] == [b"1", b"2"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"", "the connection was closed before an answer came"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", "the connection was closed after 2 of 5 bytes"),
        (b"SSH-2.0-x\r\n", "did not answer in HTTP: it began with b'SSH-2.0-x"),
    ],
)
def test_an_answer_that_breaks_off_is_an_error(answer: bytes, text: str) -> None:
    with answering([answer]) as url, pytest.raises(TransportError, match=text):
        Client().send(url)


def test_a_port_where_nobody_listens_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransportError, match=f"http://127.0.0.1:{port}: .*refused"):
        Client().send(Url(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://s3.eu-west-1.amazonaws.com", ("s3.eu-west-1.amazonaws.com", 443, "/")),
        ("http://localhost:4566/base?x=1", ("localhost", 4566, "/base?x=1")),
        ("http://[::1]:80/", ("::1", 80, "/")),
        ("https://[::1]", ("::1", 443, "/")),
    ],
)
def test_the_parts_of_an_address(text: str, expected: tuple[str, int, str]) -> None:
    url = Url(text)
    assert (url.name, url.port, url.target) == expected


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="'ftp://x' is no http or https address"):
        Url("ftp://x")
