"""What is known of a phase while its work goes on."""

from __future__ import annotations

from overtime.progress.state import FAILED, End, Item, Passing, Phase


def item(name: str, *, since: float = 0, group: bool = False) -> Item:
    return Item(doing="creating", kind="aws:sqs:Queue", name=name, since=since, group=group)


BEGUN = Phase(title="pulumi up (dev)", began=100)


def test_pieces_are_counted_from_their_beginning_to_their_end() -> None:
    """A piece at work is one of the total; an ended one is done or failed, and listed under its word."""
    phase = BEGUN.started("a", item("a")).started("b", item("b")).started("c", item("c"))
    assert (phase.done, phase.failed, phase.total) == (0, 0, 3)

    phase = phase.ended("a", "created").ended("b", FAILED)
    assert (phase.done, phase.failed, phase.total) == (1, 1, 3)
    assert list(phase.working) == ["c"]
    assert phase.ended("c", "updated").counts == {"created": 1, "updated": 1, FAILED: 1}


def test_the_failed_come_last() -> None:
    assert list(BEGUN.ended("a", FAILED).ended("b", "created").counts) == ["created", FAILED]


def test_an_end_that_is_told_twice_counts_once() -> None:
    """The engine tells the end of a component's step, and again when its outputs are there."""
    phase = BEGUN.started("a", item("a")).ended("a", "created").ended("a", "created")
    assert (phase.done, phase.total) == (1, 1)


def test_a_part_of_a_piece_is_shown_and_not_counted() -> None:
    """A replacement's new and old resource are parts of one replacement."""
    phase = BEGUN.started("a", item("a")).ended("a", None).started("a", item("a")).ended("a", "replaced")
    assert phase.counts == {"replaced": 1}
    assert phase.started("a", item("a")).ended("a", None).counts == {"replaced": 1}


def test_the_total_is_what_was_expected_until_there_is_more() -> None:
    phase = BEGUN.expecting(2).started("a", item("a"))
    assert phase.total == 2
    assert phase.started("b", item("b")).started("c", item("c")).total == 3


def test_steps_follow_each_other() -> None:
    """A step's own output lasts until the next line or step; a step does not repeat the phase's title."""
    phase = Phase(title="engine", began=0).doing("engine: building pulumi").doing(Passing("net/http"))
    assert (phase.step, phase.passing) == ("building pulumi", "net/http")
    assert phase.doing(Passing("net/url")).passing == "net/url"
    assert phase.doing("engine: done").passing == ""


def test_a_phase_that_is_over_stands_still() -> None:
    phase = BEGUN.started("a", item("a")).doing(Passing("x")).over(End(at=107, outcome="failed"))
    assert (phase.working, phase.passing, phase.elapsed(999)) == ({}, "", 7)
