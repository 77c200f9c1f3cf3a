"""The one-shot Runtime API: the event goes out untouched, and only one invocation is served."""

from __future__ import annotations

import base64
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

    def begin(self) -> None:
        """Take the event, as a runtime does before it answers."""
        self.ask("GET", f"{ROOT}/invocation/next")
        assert self.messages.get(timeout=10) == ("begun", None)

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


@pytest.fixture
def begun(served: Served) -> Served:
    """Give an invocation whose event has been handed out."""
    served.begin()
    return served


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
    if kind != "init_error":
        served.begin()
    assert served.ask("POST", f"{ROOT}/{path}", b'{"a": 1}') == (202, b'{"status":"OK"}\n')
    answer = served.answer()
    assert (answer.kind, answer.body, answer.size, answer.error_type) == (kind, b'{"a": 1}', 8, "")


@pytest.mark.parametrize("path", ["invocation/id-1/error", "init/error"])
def test_the_type_of_an_error_may_be_in_a_header(served: Served, path: str) -> None:
    if path.startswith("invocation"):
        served.begin()
    headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.NoSuchHandler"}
    assert served.ask("POST", f"{ROOT}/{path}", b"no such handler", **headers)[0] == 202
    answer = served.answer()
    assert (answer.body, answer.error_type) == (b"no such handler", "Runtime.NoSuchHandler")


def test_an_answer_may_come_in_chunks(begun: Served) -> None:
    chunks = iter([b"[1,", b"2]"])
    headers = {"Transfer-Encoding": "chunked"}
    assert begun.ask("POST", f"{ROOT}/invocation/id-1/response", chunks, **headers)[0] == 202
    assert begun.answer().body == b"[1,2]"


def test_an_answer_that_is_too_large_is_refused_as_lambda_does(begun: Served) -> None:
    status, body = begun.ask("POST", f"{ROOT}/invocation/id-1/response", b"x" * (LARGEST_RESULT + 1))
    assert (status, json.loads(body)["errorType"]) == (413, "RequestEntityTooLarge")
    answer = begun.answer()
    assert (answer.body, answer.size) == (b"", LARGEST_RESULT + 1)


def test_an_answer_may_be_as_large_as_on_lambda(begun: Served) -> None:
    assert begun.ask("POST", f"{ROOT}/invocation/id-1/response", b"x" * LARGEST_RESULT)[0] == 202
    assert len(begun.answer().body) == LARGEST_RESULT


@pytest.mark.parametrize("action", ["response", "error"])
def test_an_answer_to_another_request_is_refused(begun: Served, action: str) -> None:
    status, body = begun.ask("POST", f"{ROOT}/invocation/id-2/{action}", b"1")
    assert (status, json.loads(body)["errorType"], begun.messages.empty()) == (400, "InvalidRequestID", True)


@pytest.mark.parametrize("first", ["response", "error"])
@pytest.mark.parametrize("second", ["response", "error"])
def test_a_second_answer_is_refused(begun: Served, first: str, second: str) -> None:
    """The first one counts, and a client must not believe that its second one did."""
    assert begun.ask("POST", f"{ROOT}/invocation/id-1/{first}", b"1")[0] == 202
    status, body = begun.ask("POST", f"{ROOT}/invocation/id-1/{second}", b"2")
    assert (status, json.loads(body)["errorType"]) == (403, "InvalidStateTransition")
    assert (begun.answer().body, begun.messages.empty()) == (b"1", True)


def test_an_error_of_the_init_phase_comes_before_the_event(begun: Served) -> None:
    status, body = begun.ask("POST", f"{ROOT}/init/error", b"{}")
    assert (status, json.loads(body)["errorType"]) == (403, "InvalidStateTransition")
    assert begun.messages.empty()


def test_an_answer_before_the_event_is_refused(served: Served) -> None:
    assert served.ask("POST", f"{ROOT}/invocation/id-1/response", b"1")[0] == 403
    assert served.messages.empty()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "invocation/id-1/response", 405),
        ("PUT", "invocation/id-1/error", 405),
        ("GET", "init/error", 405),
        ("POST", "invocation/next", 405),
        ("GET", "restore/next", 404),
        ("POST", "restore/error", 404),
        ("POST", "invocation/id-1", 404),
        ("POST", "invocation/id-1/response/more", 404),
    ],
)
def test_a_wrong_call_has_no_effect(served: Served, method: str, path: str, status: int) -> None:
    """Without SnapStart there is no restore: that is how runtimes find out."""
    assert served.ask(method, f"{ROOT}/{path}", b"1")[0] == status
    assert served.messages.empty()


def trailing(body: bytes, *trailers: str, mode: str = "streaming") -> bytes:
    """Return a whole request that streams a response in one chunk."""
    head = [
        f"POST {ROOT}/invocation/id-1/response HTTP/1.1",
        f"Lambda-Runtime-Function-Response-Mode: {mode}",
        "Content-Type: application/vnd.awslambda.http-integration-response",
        "Transfer-Encoding: chunked",
        "Trailer: Lambda-Runtime-Function-Error-Type",
        "Trailer: Lambda-Runtime-Function-Error-Body",
    ]
    chunk = b"%x\r\n%s\r\n0\r\n" % (len(body), body)
    return "\r\n".join([*head, "", ""]).encode() + chunk + "\r\n".join([*trailers, "", ""]).encode()


def test_a_streamed_response_is_kept_byte_for_byte(begun: Served) -> None:
    """With the prelude of Lambda's HTTP integrations, too: Invoke returns it as it is."""
    body = b'{"statusCode":200}' + bytes(8) + b"\xff<html>"
    sent(begun, trailing(body))
    answer = begun.answer()
    assert (answer.kind, answer.body) == ("response", body)


@pytest.mark.parametrize("name", ["lambda-runtime-function-error-type", "Lambda-Runtime-Function-Error-Type"])
def test_an_error_in_the_trailers_is_the_answer(begun: Served, name: str) -> None:
    document = b'{"errorType":"Error","errorMessage":"the source ended"}'
    told = f"Lambda-Runtime-Function-Error-Body: {base64.b64encode(document).decode()}"
    sent(begun, trailing(b"half", f"{name}: Error", told))
    answer = begun.answer()
    assert (answer.kind, answer.body, answer.error_type) == ("error", document, "Error")


@pytest.mark.parametrize("told", ["Lambda-Runtime-Function-Error-Body: x", ""])
def test_an_error_in_the_trailers_needs_no_readable_document(begun: Served, told: str) -> None:
    sent(begun, trailing(b"half", "Lambda-Runtime-Function-Error-Type: Shop.Error", *filter(None, [told])))
    answer = begun.answer()
    assert (answer.kind, answer.error_type) == ("error", "Shop.Error")


def test_a_mode_that_lambda_does_not_know_is_refused_and_ends_the_run(begun: Served) -> None:
    said = sent(begun, trailing(b"1", mode="buffered"))
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Invalid function response mode" in said
    assert (begun.answer().error_type, begun.messages.empty()) == ("Runtime.InvalidResponseModeHeader", True)


@pytest.mark.parametrize("missing", [50, 8, 1])
def test_a_runtime_that_breaks_off_its_response_and_goes_on_has_failed(begun: Served, missing: int) -> None:
    """It asks for the next event, so nothing else would end the run before its limit."""
    sent(begun, trailing(b"x" * 100)[:-missing])
    assert begun.messages.empty(), "its process may be dead, whose end says more"
    ask_again(begun)
    assert begun.answer().error_type == "Runtime.TruncatedResponse"
    assert begun.messages.get(timeout=10) == ("idle", None)


def test_a_runtime_that_breaks_off_its_response_can_still_answer(begun: Served) -> None:
    sent(begun, trailing(b"x" * 100)[:-8])
    assert begun.ask("POST", f"{ROOT}/invocation/id-1/error", b"{}")[0] == 202
    ask_again(begun)
    assert (begun.answer().kind, begun.messages.get(timeout=10)) == ("error", ("idle", None))


def ask_again(served: Served) -> None:
    """Ask for another event, and do not wait for the answer, which never comes."""
    host, _, port = served.api.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(f"GET {ROOT}/invocation/next HTTP/1.1\r\n\r\n".encode())


def test_a_connection_is_kept_for_all_calls(served: Served) -> None:
    connection = http.client.HTTPConnection(served.api.address, timeout=10)
    connection.request("GET", f"{ROOT}/invocation/next")
    connection.getresponse().read()
    first = connection.sock
    connection.request("POST", f"{ROOT}/invocation/id-1/response", b"1")
    assert (connection.getresponse().status, connection.sock) == (202, first)
    connection.close()


@pytest.mark.parametrize(
    ("version", "field", "kept"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: close\r\n", False),
        ("1.0", "", False),
        ("1.0", "Connection: Keep-Alive\r\n", True),
    ],
)
def test_a_connection_is_closed_when_the_client_expects_that(
    served: Served,
    version: str,
    field: str,
    kept: bool,  # noqa: FBT001
) -> None:
    request = f"GET / HTTP/{version}\r\n{field}\r\n".encode()
    assert sent(served, request * 2).count(b"HTTP/1.1 404") == 1 + kept


def test_a_client_may_ask_before_it_sends_its_answer(begun: Served) -> None:
    """What uses curl does so for a body of more than a kilobyte, and waits a second if it is not told to go on."""
    head = f"POST {ROOT}/invocation/id-1/response HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    said = sent(begun, head.encode() + b"1")
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\n")
    assert begun.answer().body == b"1"


def test_a_header_may_be_as_long_as_a_trace(begun: Served) -> None:
    cause = {"Lambda-Runtime-Function-XRay-Error-Cause": "x" * (1 << 20)}
    assert begun.ask("POST", f"{ROOT}/invocation/id-1/error", b"{}", **cause)[0] == 202


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


def sent(served: Served, data: bytes, *, hang_up: bool = True) -> bytes:
    """Send bytes, and hang up or not; return what is answered until the other side hangs up."""
    host, _, port = served.api.address.partition(":")
    answered = bytearray()
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(data)
        if hang_up:
            client.shutdown(socket.SHUT_WR)
        while piece := client.recv(1 << 16):
            answered += piece
    return bytes(answered)


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
    if kind != "init/error":
        served.begin()
    request = f"POST {ROOT}/{kind} HTTP/1.1\r\n".encode() + rest
    for length in range(len(request)):
        sent(served, request[:length])
    assert served.messages.empty()
    sent(served, request)
    assert served.answer().body == b"[1,2]"


@pytest.mark.parametrize(
    "size",
    [
        "Content-Length: -1",
        "Content-Length: x",
        "Content-Length: 1\r\nContent-Length: 2",
        "Transfer-Encoding: chunked\r\n\r\n-1",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
    ],
)
def test_an_answer_of_no_size_is_none(begun: Served, size: str) -> None:
    """Its connection is closed at once, and not read for as long as it is open."""
    sent(begun, f"POST {ROOT}/invocation/id-1/response HTTP/1.1\r\n{size}\r\n\r\n[]".encode(), hang_up=False)
    assert begun.messages.empty()
