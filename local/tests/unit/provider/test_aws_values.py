from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct, Value  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from local.provider.aws.values import (
    UNKNOWN,
    Archive,
    Asset,
    ProtocolError,
    Secret,
    from_wire,
    holds_secret,
    holds_unknown,
    revealed,
    to_wire,
)

SCALARS = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
LEAVES = (
    SCALARS
    | st.just(UNKNOWN)
    | st.builds(Secret, SCALARS)
    | st.builds(Asset, hash=st.text(), text=st.text())
    | st.builds(Asset, hash=st.text(), path=st.text(min_size=1))
    | st.builds(Archive, hash=st.text(), path=st.text(min_size=1))
    | st.builds(Archive, members=st.dictionaries(st.text(), st.builds(Asset, text=st.text())))
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(st.dictionaries(st.text(), VALUES))
def test_what_is_sent_is_what_is_received(values: dict[str, Any]) -> None:
    """Unknowns stay unknown, secrets secret, and files keep hash and place."""
    assert from_wire(Struct.FromString(to_wire(values).SerializeToString())) == values


def test_every_form_of_unknown_is_unknown() -> None:
    """The engine has a word for each type of value that is not known."""
    number, archive = "3eeb2bf0-c639-47a8-9e75-3b44932eb421", "e48ece36-62e2-4504-bad9-02848725956a"
    sent = Struct(fields={"n": Value(string_value=number), "a": Value(string_value=archive)})
    assert from_wire(sent) == {"n": UNKNOWN, "a": UNKNOWN}


def test_whole_numbers_are_integers() -> None:
    """The protocol knows floating point only, and AWS refuses 30.0 where it wants 30."""
    received = from_wire(to_wire({"days": 30}))
    assert received == {"days": 30}
    assert isinstance(received["days"], int)


def test_what_is_none_is_left_out() -> None:
    assert from_wire(to_wire({"a": None, "b": 1})) == {"b": 1}


def test_a_kind_that_was_not_asked_for_is_refused() -> None:
    reference = {"4dabf18193072939515e22adb298388d": "5cf8f73096256a8f31e491e813e4eb8e", "urn": "u"}
    with pytest.raises(ProtocolError, match="kind '5cf8f73096256a8f31e491e813e4eb8e'"):
        from_wire(to_wire({"r": reference}))


def test_secrets_are_found_and_revealed_at_any_depth() -> None:
    value = {"a": [{"b": Secret({"c": Secret(1)})}]}
    assert holds_secret(value)
    assert revealed(value) == {"a": [{"b": {"c": 1}}]}
    assert not holds_secret(revealed(value))


def test_unknown_is_found_inside_secrets() -> None:
    assert holds_unknown([Secret({"a": UNKNOWN})])
    assert not holds_unknown([Secret({"a": 1})])


def test_a_secret_does_not_print_itself() -> None:
    assert "hush" not in repr(Secret("hush"))
