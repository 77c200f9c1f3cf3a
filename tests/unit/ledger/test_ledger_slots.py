from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import InvalidRunKeyError, RunKey, slots_key, slots_of
from overtime.ledger.answers import LedgerUnavailableError
from overtime.ledger.slots import Slots

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

A, B, C = (RunKey("report", request_id) for request_id in ("a", "b", "c"))


@pytest.fixture
def slots(dynamodb: DynamoDBClient) -> Slots:
    ticks = itertools.count(1_700_000_000)
    return Slots(table="runs", dynamodb=dynamodb, clock=lambda: float(next(ticks)))


def test_there_are_as_many_as_allowed_and_no_more(slots: Slots) -> None:
    """From the very first; each attempt has its own, and another function does not count."""
    assert slots.take(A, 1, most=2)
    assert slots.take(A, 2, most=2)
    assert not slots.take(B, 1, most=2)
    assert slots.take(RunKey("other", "b"), 1, most=2)
    assert slots.give_back(A, 1)
    assert slots.take(B, 1, most=2)
    assert set(slots.held("report")) == {(A, 2), (B, 1)}


def test_taking_what_one_has_is_no_second_slot(slots: Slots) -> None:
    """A repeated delivery passes even where the house is full, or has become too small."""
    assert slots.take(A, 1, most=1)
    assert slots.take(A, 1, most=1)
    assert len(slots.held("report")) == 1
    assert not slots.give_back(B, 1)


def test_clearing_up_spares_what_was_taken_again(slots: Slots) -> None:
    """Between the look and the write a dispatcher may have begun to use it."""
    slots.take(A, 1, most=1)
    seen = slots.held("report")[A, 1]
    slots.take(A, 1, most=1)
    assert not slots.give_back(A, 1, taken=seen)
    assert slots.give_back(A, 1, taken=slots.held("report")[A, 1])


def test_a_closed_item_keeps_what_it_holds(slots: Slots) -> None:
    """Closing means out of sight, and only while it is empty."""
    slots.take(A, 1, most=1)
    slots.close("report")
    assert list(slots.held("report")) == [(A, 1)]


def test_the_items_key_is_no_runs(slots: Slots) -> None:
    """It begins like the function's runs, whose permissions cover it, and cannot be one."""
    assert slots_of(slots_key("report")) == "report"
    assert slots_of(str(C)) is None
    with pytest.raises(InvalidRunKeyError):
        RunKey.parse(slots_key("report"))
    assert slots.held("nobody") == {}


def test_a_table_that_is_gone_starts_nothing(slots: Slots, dynamodb: DynamoDBClient) -> None:
    """Where nobody can count, nobody passes."""
    dynamodb.delete_table(TableName="runs")
    with pytest.raises(LedgerUnavailableError, match="tasks of 'report' could not be counted"):
        slots.take(A, 1, most=1)
