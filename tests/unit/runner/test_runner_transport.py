"""The small HTTP client: addresses, kept connections, and the ways in which a body can end."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from overtime.runner.transport import Client, TransportError, Url

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
        (b"", "the connection was closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", "the connection was closed after 2 of 5 bytes"),
        (b"SSH-2.0-x\r\n", "did not answer in HTTP: the answer begins with b'SSH-2.0-x"),
    ],
)
def test_an_answer_that_breaks_off_is_an_error(answer: bytes, text: str) -> None:
    with answering([answer]) as url, pytest.raises(TransportError, match=text):
        Client().send(url)


WHOLE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nx-amzn-errortype: X\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
)


@pytest.mark.parametrize("whole", WHOLE)
def test_an_answer_cut_off_anywhere_is_a_broken_connection(whole: bytes) -> None:
    """In its first line, a header, a chunk's size, a chunk, a trailer: never is it an answer with an empty body."""
    parts = [whole[:length] for length in range(len(whole))]
    with answering(*([part] for part in parts)) as url:
        for part in parts:
            with pytest.raises(TransportError, match=r"the connection was closed|reset by peer"):
                pytest.fail(f"{part!r} passed for {Client().send(url).status}")


def test_a_body_that_ends_with_its_connection_needs_a_whole_head() -> None:
    head = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n"
    parts = [head[:length] for length in range(len(head))]
    with answering(*([part] for part in parts)) as url:
        for _ in parts:
            with pytest.raises(TransportError, match="the connection was closed"):
                Client().send(url)


@pytest.mark.parametrize("length", ["-1", "+5", "5 5", "1_0", "0x5", "", "five", "5, 5", str(1 << 40), "9" * 400])
@pytest.mark.parametrize("form", ["Content-Length: {}\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n{}\r\nhello"])
def test_a_garbled_length_is_no_answer(length: str, form: str) -> None:
    """Nor does it take all the memory that there is."""
    expected = r"did not answer in HTTP: (b'.*' is not a size|\d+ bytes are more than the limit)"
    answer = b"HTTP/1.1 200 OK\r\n" + form.format(length).encode()
    with answering([answer]) as url, pytest.raises(TransportError, match=expected):
        Client().send(url)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_an_error(answer: bytes) -> None:
    with answering([answer]) as url, pytest.raises(TransportError, match=r"did not answer in HTTP|reset by peer"):
        Client().send(url)


def test_an_answer_that_trickles_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each read has its bound, and so have all of them together."""
    monkeypatch.setattr("overtime.runner.transport.EXCHANGE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        given_up = threading.Event()

        def trickle() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not given_up.wait(0.01):
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        with pytest.raises(TransportError, match=r"the answer was not complete after 0.2 s|timed out"):
            Client().send(Url(f"http://127.0.0.1:{server.getsockname()[1]}"))
        given_up.set()
        thread.join()


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After days of the handler's work, what lies between may have forgotten it without telling."""
    monkeypatch.setattr("overtime.runner.transport._IDLE_SECONDS", -1)
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    with answering([one + b"1", one + b"old"], [one + b"2"]) as url:
        client = Client()
        assert [bytes(client.send(url).body) for _ in range(2)] == [b"1", b"2"]


def test_a_port_where_nobody_listens_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransportError, match=f"http://127.0.0.1:{port}: .*refused"):
        Client().send(Url(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://s3.eu-west-1.amazonaws.com", ("s3.eu-west-1.amazonaws.com", 443, "/")),
        ("http://169.254.170.2/v4/metadata", ("169.254.170.2", 80, "/v4/metadata")),
        ("http://localhost:4566/base?x=1", ("localhost", 4566, "/base?x=1")),
        ("http://[::1]:80/", ("::1", 80, "/")),
        ("https://[::1]", ("::1", 443, "/")),
    ],
)
def test_the_parts_of_an_address(text: str, expected: tuple[str, int, str]) -> None:
    url = Url(text)
    assert (url.name, url.port, url.target) == expected


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="'ftp://x' is not an http or https URL"):
        Url("ftp://x")
