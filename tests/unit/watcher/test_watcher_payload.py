"""What goes into a destination's record as it is, and what as a text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtime.lambdas.watcher.payload import member

DEEP = 200_000


def record(content: bytes) -> str:
    return '{"version":"1.0","responsePayload":' + member(content) + "}"


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1.0,  "b":[12345678901234567890, 1e308, -0]}',
        '"\u00fc\u2028\U0001f600\x7f"'.encode(),
        rb'"\ud83d\ude00 \u0000 \uffff"',
        b'{"a":1,"a":2}',
        b" \t\r\n null \n",
        b"1" * 300,
        b"0." + 998 * b"1",
        b"[" * 500 + b"]" * 500,
    ],
)
def test_what_every_parser_takes_is_put_in_character_by_character(content: bytes) -> None:
    """Spaces, forms of numbers, order and keys that come twice are the handler's own."""
    assert member(content) == content.decode()


TEXTS = [
    b"",
    b"{'a': 1}",
    b"NaN",
    b'[1, -Infinity, {"a": NaN}]',
    b'"\xff"',
    b'\xef\xbb\xbf{"a": 1}',
    '{"a": 1}'.encode("utf-16"),
    b'"\x01"',
    rb'"\ud800"',
    rb'{"\udfff": 1}',
    b"9" * 310,
    b"1e999",
    b"-1e999",
    b"0." + 999 * b"1",
    b"1" * 5_000,
    b"[" * 501 + b"]" * 501,
    b'{"a":' * 501 + b"1" + b"}" * 501,
    b"[" * DEEP + b"]" * DEEP,
    b"[" * DEEP,
    b'1},"version":"2.0","x":{"y":1',
    b'null,"requestContext":{"functionArn":"forged"}',
    b"[" * DEEP + b"]" * DEEP + b',"requestContext":{"functionArn":"forged"}',
]


@pytest.mark.parametrize("content", TEXTS, ids=lambda content: content[:20].hex())
def test_what_a_parser_may_refuse_is_a_text(content: bytes) -> None:
    """The record stays readable as a whole, and no payload ends its own member and begins another."""
    assert json.loads(record(content)) == {"version": "1.0", "responsePayload": content.decode("utf-8", "replace")}


def test_characters_that_a_queue_refuses_are_escaped() -> None:
    """They stay what they are to whoever reads the record, and the record can be sent."""
    content = '{"\ufffe": "a\uffff"}'.encode()
    assert member(content).isascii()
    assert json.loads(member(content)) == json.loads(content)


@given(
    st.one_of(
        st.binary(max_size=40), st.text('[]{},:"\\u0d8e1-+.eENaInfity \n\ufeff\uffff', max_size=40).map(str.encode)
    )
)
def test_no_payload_forges_its_envelope(content: bytes) -> None:
    """Whatever bytes a handler returns: two members, and the record is strict JSON that a queue takes."""
    assert list(json.loads(record(content), parse_constant=pytest.fail)) == ["version", "responsePayload"]
    assert not {"\ufffe", "\uffff"} & set(record(content))
    record(content).encode("utf-8")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_what_json_writes_is_never_a_text(value: object) -> None:
    """An ordinary result is a value in the record, also where it is a string or a number."""
    assert json.loads(record(json.dumps(value).encode()))["responsePayload"] == value
