"""The one-shot Runtime API: the event goes out untouched, and only one invocation is served."""

from __future__ import annotations

import http.client
import json
import socket
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtime.runner.messages import Answer
from overtime.runner.runtime_api import LARGEST_RESULT, NextInvocation, RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from overtime.runner.messages import Message

ROOT = "/2018-06-01/runtime"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


class Served:
    """One invocation on offer, and a runtime that asks for it."""

    def __init__(self, event: bytes) -> None:
        self.messages: SimpleQueue[Message] = SimpleQueue()
        self.said: list[str] = []
        invocation = NextInvocation("id-1", event, {"Lambda-Runtime-Aws-Request-Id": "id-1"})
        self.api = RuntimeApi(invocation, self.messages, lambda: self.said.append("begin"))

    def ask(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Send one request as a runtime does."""
        connection = http.client.HTTPConnection(self.api.address, timeout=10)
        connection.request(method, path, body, headers, encode_chunked=True)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def answer(self) -> Answer:
        """Return what the runner is told next, which must be an answer."""
        kind, value = self.messages.get(timeout=10)
        assert isinstance(value, Answer), kind
        return value


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served(b"{}")
    yield made
    made.api.close()


@given(JSON, st.sampled_from([None, 1, "\t"]), st.booleans())
@settings(max_examples=200)
def test_an_event_is_handed_out_byte_for_byte(value: object, indent: int | str | None, ascii_only: bool) -> None:  # noqa: FBT001
    event = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    served = Served(event)
    try:
        assert served.ask("GET", f"{ROOT}/invocation/next") == (200, event)
    finally:
        served.api.close()


def test_an_event_of_a_megabyte_is_handed_out_whole() -> None:
    event = b'"' + b"x" * 1_000_000 + b'"'
    assert Served(event).ask("GET", f"{ROOT}/invocation/next") == (200, event)


def test_the_thread_that_accepts_calls_closes_the_socket_itself() -> None:
    """Closed by another thread, the descriptor could be a new socket's by the time the old thread accepts from it."""
    made = Served(b"{}")
    made.api.close()
    made.api._acceptor.join(10)
    assert not made.api._acceptor.is_alive()
    assert made.api._listener.fileno() == -1
    made.api.close()  # again changes nothing


def test_what_is_printed_at_the_beginning_precedes_the_event(served: Served) -> None:
    served.ask("GET", f"{ROOT}/invocation/next")
    assert (served.said, served.messages.get(timeout=10)) == (["begin"], ("begun", None))


@pytest.mark.parametrize(
    ("path", "kind"),
    [("invocation/id-1/response", "response"), ("invocation/id-1/error", "error"), ("init/error", "init_error")],
)
def test_an_answer_is_taken_as_it_is(served: Served, path: str, kind: str) -> None:
    assert served.ask("POST", f"{ROOT}/{path}", b'{"a": 1}')[0] == 202
    answer = served.answer()
    assert (answer.kind, answer.body, answer.size) == (kind, b'{"a": 1}', 8)


def test_an_answer_may_come_in_chunks(served: Served) -> None:
    chunks = iter([b"[1,", b"2]"])
    headers = {"Transfer-Encoding": "chunked"}
    assert served.ask("POST", f"{ROOT}/invocation/id-1/response", chunks, **headers)[0] == 202
    assert served.answer().body == b"[1,2]"


def test_an_answer_that_is_too_large_is_refused_as_lambda_does(served: Served) -> None:
    status, body = served.ask("POST", f"{ROOT}/invocation/id-1/response", b"x" * (LARGEST_RESULT + 1))
    assert (status, json.loads(body)["errorType"]) == (413, "RequestEntityTooLarge")
    answer = served.answer()
    assert answer.size == LARGEST_RESULT + 1


def test_an_answer_to_another_request_is_refused(served: Served) -> None:
    status, body = served.ask("POST", f"{ROOT}/invocation/id-2/response", b"1")
    assert (status, json.loads(body)["errorType"], served.messages.empty()) == (400, "InvalidRequestID", True)


def test_what_is_not_part_of_the_api_is_not_found(served: Served) -> None:
    assert served.ask("GET", "/")[0] == 404


@pytest.mark.parametrize(("method", "path"), [("GET", "invocation/next"), ("POST", "init/error"), ("GET", "nothing")])
def test_every_answer_names_its_type_once(served: Served, method: str, path: str) -> None:
    """A client that joins repeated headers would read `application/json, application/json`."""
    connection = http.client.HTTPConnection(served.api.address, timeout=10)
    connection.request(method, f"{ROOT}/{path}")
    names = [name.lower() for name, _ in connection.getresponse().getheaders()]
    assert len(names) == len(set(names))
    assert "content-type" in names


def test_it_listens_on_loopback_only(served: Served) -> None:
    assert served.api.address.startswith("127.0.0.1:")


def sent(served: Served, data: bytes, *, hang_up: bool = True) -> None:
    """Send bytes, and hang up or not; wait for the other side to do so."""
    host, _, port = served.api.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(data)
        if hang_up:
            client.shutdown(socket.SHUT_WR)
        while client.recv(1 << 16):
            pass


@pytest.mark.parametrize("kind", ["invocation/id-1/response", "invocation/id-1/error", "init/error"])
@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Type: application/json\r\nContent-Length: 5\r\n\r\n[1,2]",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,2]\r\n0\r\nLambda-Runtime: x\r\n\r\n",
    ],
)
def test_an_answer_in_whose_middle_the_runtime_died_is_none(served: Served, kind: str, rest: bytes) -> None:
    """Above all not an empty one, which would count as the handler's result."""
    request = f"POST {ROOT}/{kind} HTTP/1.1\r\n".encode() + rest
    for length in range(len(request)):
        sent(served, request[:length])
    assert served.messages.empty()
    sent(served, request)
    assert served.answer().body == b"[1,2]"


@pytest.mark.parametrize("size", ["Content-Length: -1", "Content-Length: x", "Transfer-Encoding: chunked\r\n\r\n-1"])
def test_an_answer_of_no_size_is_none(served: Served, size: str) -> None:
    """Its connection is closed at once, and not read for as long as it is open."""
    sent(served, f"POST {ROOT}/invocation/id-1/response HTTP/1.1\r\n{size}\r\n\r\n[]".encode(), hang_up=False)
    assert served.messages.empty()
