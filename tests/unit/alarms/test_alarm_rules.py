"""The evaluator against the examples of CloudWatch's user guide."""

from __future__ import annotations

import pytest

from tests.unit.alarms.cloudwatch import Metrics, State, decide

RETAIN = "retain"
# Points (newest last), what missing data are treated as: missing, ignore, breaching, notBreaching.
THREE_OF_THREE = (
    ("0 - X - X", "OK", "OK", "OK", "OK"),
    ("0 - - - -", "OK", "OK", "OK", "OK"),
    ("- - - - -", "INSUFFICIENT_DATA", RETAIN, "ALARM", "OK"),
    ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("- - X - -", "ALARM", RETAIN, "ALARM", "OK"),
)
TWO_OF_THREE = (
    ("0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 - X - -", "OK", "OK", "ALARM", "OK"),
    ("- - - - 0", "OK", "OK", "ALARM", "OK"),
    ("- - - X -", "ALARM", RETAIN, "ALARM", "OK"),
)
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
ROWS = [(3, row[0], row[1:]) for row in THREE_OF_THREE] + [(2, row[0], row[1:]) for row in TWO_OF_THREE]
POINTS = {"0": False, "X": True, "-": None}


@pytest.mark.parametrize(("needed", "points", "states"), ROWS)
def test_the_tables_of_the_user_guide(needed: int, points: str, states: tuple[str, ...]) -> None:
    """Three periods are evaluated, five are looked at."""
    for current in State:
        found = [
            decide([POINTS[point] for point in points.split()], periods=3, needed=needed, missing=how, current=current)
            for how in TREATMENTS
        ]
        assert found == [current if said == RETAIN else said for said in states], points


@pytest.mark.parametrize("points", ["- - - - X", "- - - X -"])
def test_no_alarm_before_there_is_enough(points: str) -> None:
    """Three of three: a single new value that breaches may be followed by one that does not."""
    found = decide([POINTS[each] for each in points.split()], periods=3, needed=3, missing="missing", current=State.OK)
    assert found is State.OK


def test_one_period_is_remembered_while_there_are_no_newer_data() -> None:
    """CloudWatch evaluates the last data again for some periods, whatever missing data are treated as."""
    for how in TREATMENTS:
        found = [
            decide([POINTS[each] for each in points.split()], periods=1, needed=1, missing=how, current=State.ALARM)
            for points in ("X - -", "X - 0", "0 - X")
        ]
        assert found == [State.ALARM, State.OK, State.ALARM]


def test_metrics_of_two_incidents_add_up() -> None:
    series = ("n", "m", frozenset({("a", "b")}))
    one, other = Metrics(), Metrics()
    one.put(series, 10, 1)
    other.put(series, 5, 2, 3)
    both = one.merged(other, later=10)
    assert both.between(series, 9, 10) == [1]
    assert both.between(series, 10, 15) == [2, 3]
    assert both.between(("n", "x", frozenset()), 0, 100) == []
