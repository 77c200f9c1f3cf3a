"""Which attributes and items a request of DynamoDB is about, as the emulator's policies see it."""

from __future__ import annotations

import pytest

from local.emulator.patches.item_access import attributes, leading_keys

NAMES = {"#s": "state", "#h": "held", "#slot": "r-1/1"}


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"Key": {"k": {"S": "f/1"}}}, {"k"}),
        ({"Item": {"k": {"S": "f/1"}, "a": {"N": "1"}}}, {"k", "a"}),
        ({"UpdateExpression": "SET #s = :state, a.b = if_not_exists(c[0], :n) REMOVE d"}, {"state", "a", "c", "d"}),
        ({"UpdateExpression": "set a = a + :one add b :two delete c :three"}, {"a", "b", "c"}),
        (
            {"ConditionExpression": "#s IN (:a, :b) AND NOT size(#h) < :n OR attribute_not_exists(k)"},
            {"state", "held", "k"},
        ),
        ({"UpdateExpression": "REMOVE #h.#slot", "ConditionExpression": "#h.#slot BETWEEN :a AND :b"}, {"held"}),
        ({"ProjectionExpression": "a, #s.b"}, {"a", "state"}),
        ({"AttributeUpdates": {"a": {}}, "Expected": {"b": {}}}, {"a", "b"}),
        ({"Key": "none", "UpdateExpression": None}, set()),
    ],
)
def test_every_named_attribute_counts(asked: dict[str, object], named: set[str]) -> None:
    """Keys, conditions and what is removed count as well as what is set; values and later parts of a path do not."""
    assert attributes({"ExpressionAttributeNames": NAMES, **asked}) == named


def test_the_leading_key_is_that_of_the_item() -> None:
    """Whether it is written as a whole or by its key."""
    assert leading_keys({"Key": {"k": {"S": "f/1"}, "range": {"S": "x"}}}, "k") == ["f/1"]
    assert leading_keys({"Item": {"k": {"S": "f/2"}, "a": {"S": "x"}}}, "k") == ["f/2"]
    assert leading_keys({"TableName": "t"}, "k") == []
