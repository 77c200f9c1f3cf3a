"""What a phase looks like in words, and in a log without a terminal."""

from __future__ import annotations

import io

import pytest

from overtime.progress.screen import Lines, display_on
from overtime.progress.state import FAILED, End, Item, Passing, Phase
from overtime.progress.text import clean, clipped, duration, ending, next_line_after, still


def item(name: str, *, group: bool = False) -> Item:
    return Item(doing="creating", kind="aws:sqs:Queue", name=name, since=0, group=group)


UP = Phase(title="pulumi up (dev)", began=0).started("a", item("report-queue")).ended("b", "created")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.9, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (385, "6 min 25 s"), (3600, "1 h 00 min"), (7505, "2 h 05 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("phase", "text"),
    [
        (UP, "pulumi up (dev): 12 s, 1 of 2 so far, creating report-queue"),
        (UP.expecting(90), "pulumi up (dev): 12 s, 1 of 90, creating report-queue"),
        (UP.started("c", item("x")), "pulumi up (dev): 12 s, 1 of 3 so far, creating report-queue and 1 more"),
        (UP.ended("c", FAILED), "pulumi up (dev): 12 s, 1 of 3 so far, 1 failed, creating report-queue"),
        (Phase(title="engine", began=0), "engine: 12 s"),
        (
            Phase(title="engine", began=0, step="building pulumi", passing="net/http"),
            "engine: 12 s, building pulumi: net/http",
        ),
    ],
)
def test_a_phase_that_goes_on(phase: Phase, text: str) -> None:
    assert still(phase, 12.3) == text


def test_components_are_named_only_where_nothing_else_is_at_work() -> None:
    """A component is at work for as long as anything in it is, so it says nothing of what takes so long."""
    only = Phase(title="up", began=0).started("a", item("platform", group=True))
    assert still(only, 5) == "up: 5 s, 0 of 1 so far, creating platform"
    assert still(only.started("b", item("queue")), 5) == "up: 5 s, 0 of 2 so far, creating queue"


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (End(at=12, outcome="done"), "pulumi up (dev): 1 created, 12 s"),
        (End(at=0.4, outcome="done", summary="ready"), "pulumi up (dev): ready"),
        (End(at=12, outcome="failed"), "pulumi up (dev): failed after 12 s (1 created)"),
        (End(at=61, outcome="interrupted"), "pulumi up (dev): interrupted after 1 min 01 s (1 created)"),
    ],
)
def test_a_phase_that_is_over(end: End, text: str) -> None:
    assert ending(UP.over(end)) == text


def test_a_phase_without_pieces_is_just_done() -> None:
    assert ending(Phase(title="images", began=0).over(End(at=0, outcome="done"))) == "images: done"
    assert ending(Phase(title="images", began=0).over(End(at=0, outcome="failed"))) == "images: failed after 0 s"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("title\x1b]0;owned\x07 set", "title set"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("over\rwritten\x08\x7f\x9b2J", "overwritten2J"),
        ("two\nlines\tand a tab", "two\nlines and a tab"),
        ("\x1b", ""),
    ],
)
def test_a_terminal_obeys_nothing_that_a_program_said(text: str, safe: str) -> None:
    """A build's output could otherwise move the cursor, or rename the window."""
    assert clean(text) == safe


def test_long_details_are_cut() -> None:
    assert clipped("one\n  two", 80) == "one two"
    assert clipped("a" * 90, 10) == "aaaaaaa..."
    assert len(clipped("a" * 90, 2)) == 2


def test_without_a_terminal_lines_come_ever_more_rarely() -> None:
    """A minute's work is told four times, an hour's once a minute."""
    told, at = [], 0.0
    while at < 200:
        at = next_line_after(at)
        told.append(at)
    assert told == [5, 10, 20, 40, 80, 140, 200]


def test_without_a_terminal() -> None:
    """Plain lines: each step, a sign of life where nothing else was said for a while, and the end."""
    stream = io.StringIO()
    lines = Lines(stream)
    phase = Phase(title="engine", began=0)
    lines.begin(phase)
    for second in range(1, 60):
        if second == 3:
            phase = phase.doing("engine: building pulumi (3 to 10 minutes, once)")
            lines.step("engine: building pulumi (3 to 10 minutes, once)")
        phase = phase.doing(Passing(f"\x1b[1mpackage/{second}"))
        lines.show(phase, second)
    lines.end(phase.over(End(at=60, outcome="done", summary="pulumi 3.259.0")))

    assert stream.getvalue().splitlines() == [
        "overtime: engine: building pulumi (3 to 10 minutes, once)",
        "overtime: engine: 8 s, building pulumi (3 to 10 minutes, once): package/8",
        "overtime: engine: 16 s, building pulumi (3 to 10 minutes, once): package/16",
        "overtime: engine: 32 s, building pulumi (3 to 10 minutes, once): package/32",
        "overtime: engine: pulumi 3.259.0, 1 min 00 s",
    ]


def test_a_phase_of_which_other_lines_tell_is_not_told_again() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    phase = Phase(title="invocation", began=0)
    lines.begin(phase)
    for second in range(1, 30):
        lines.line(f"{second}")
        lines.show(phase, second)
    assert "invocation" not in stream.getvalue()


def test_what_a_stream_cannot_encode_is_replaced() -> None:
    """A build's output in a terminal of another encoding must not end a deployment."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    display_on(stream, {}).line("→ done")
    stream.seek(0)
    assert stream.read() == "? done\n"
