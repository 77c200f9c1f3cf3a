"""What a phase looks like on a terminal, at fixed widths."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from overtime.progress.picture import ROWS, Picture, finished
from overtime.progress.screen import forgiving
from overtime.progress.state import FAILED, End, Item, Passing, Phase


def drawn(phase: Phase, at: float, *, width: int, encoding: str = "utf-8") -> list[str]:
    """Draw a phase without colours."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    console = Console(file=forgiving(stream), width=width, force_terminal=True, color_system=None, legacy_windows=False)
    console.print(Picture(phase, at))
    stream.flush()
    lines = raw.getvalue().decode(encoding).splitlines()
    assert max(map(len, lines)) <= width
    return [line.rstrip() for line in lines]


def piece(name: str, kind: str, since: float) -> Item:
    return Item(doing="creating", kind=kind, name=name, since=since)


def going_on() -> Phase:
    phase = replace(
        Phase(title="pulumi up (dev)", began=0), expected=90, finished={str(n): "created" for n in range(45)}
    )
    phase = phase.started("image", piece("python3.11-x86_64-ac61bfdaf3720d10ee23", "docker-build:index:Image", 12))
    return phase.started("queue", piece("report-queue", "aws:sqs:Queue", 20))


def test_counts_time_and_what_is_at_work() -> None:
    assert drawn(going_on(), 21, width=100) == [
        "⠇  pulumi up (dev)  21 s  ████████████░░░░░░░░░░░░  45 of 90",
        "  creating    9 s   python3.11-x86_64-ac61bfdaf3720d10ee23  docker-build:index:Image",
        "  creating    1 s   report-queue                            aws:sqs:Queue",
    ]


def test_a_small_window() -> None:
    """Bar and kinds are left out, and what does not fit is cut: one row stays one line."""
    assert drawn(going_on(), 21, width=60) == [
        "⠇  pulumi up (dev)  21 s  45 of 90",
        "  creating    9 s   python3.11-x86_64-ac61bfdaf3720d10ee23",
        "  creating    1 s   report-queue",
    ]
    assert drawn(going_on(), 21, width=40)[1:] == [
        "  creating    9 s   python3.11-x86_64-a…",
        "  creating    1 s   report-queue",
    ]


def test_columns_stay_where_they_are() -> None:
    """Whatever is at work, so that the eye finds it again."""
    other = Phase(title="pulumi up (dev)", began=0).started("a", piece("a", "a:b:C", 0))
    first, second = (drawn(phase, 21, width=100)[-1] for phase in (going_on(), other))
    assert first.index("aws:sqs:Queue") == second.index("a:b:C")


def test_more_than_fits() -> None:
    phase = Phase(title="up", began=0)
    for number in range(ROWS + 3):
        phase = phase.started(str(number), piece(f"queue-{number}", "aws:sqs:Queue", 0))
    lines = drawn(phase, 0, width=80)
    assert [line.split()[3] for line in lines[1:-1]] == [f"queue-{number}" for number in range(ROWS)]
    assert lines[-1] == "  and 3 more"


def test_a_total_that_nobody_knows_yet() -> None:
    phase = Phase(title="up", began=0).ended("a", "created").started("b", piece("b", "a:b:C", 0))
    assert drawn(phase, 0, width=80)[0] == "⠋  up  0 s   ████████████░░░░░░░░░░░░  1 of 2 so far"


def test_failures_are_counted_while_the_rest_goes_on() -> None:
    assert drawn(going_on().ended("x", FAILED), 0, width=100)[0].endswith("45 of 90, 1 failed")


def test_steps_and_the_last_line_of_their_output() -> None:
    phase = Phase(title="engine", began=0).doing("engine: building pulumi").doing(Passing("net/\x1b[2Jhttp"))
    assert drawn(phase, 192, width=80) == ["⠦  engine  3 min 12 s  building pulumi", "  net/http"]


def test_a_step_is_cut_where_it_does_not_fit() -> None:
    """And nothing before it."""
    phase = Phase(title="base image", began=0).doing("making overtime-base:bookworm-py3.11 from Debian packages")
    assert drawn(phase, 104, width=60) == ["⠹  base image  1 min 44 s  making overtime-base:bookworm-py…"]


def test_a_terminal_that_knows_ascii_only() -> None:
    assert drawn(going_on(), 21, width=80, encoding="ascii")[0] == (
        "|  pulumi up (dev)  21 s  ############------------  45 of 90"
    )


def test_markup_in_names_is_text() -> None:
    """A name such as `[red]` is no colour."""
    phase = Phase(title="up", began=0).started("a", piece("[red]x[/red]", "a:b:C", 0))
    assert "[red]x[/red]" in drawn(phase, 0, width=80)[1]


def test_what_is_left_of_a_phase() -> None:
    done = going_on().over(End(at=37, outcome="done"))
    failed = going_on().over(End(at=37, outcome="failed"))
    assert finished(done, plain=False).plain == "✓ pulumi up (dev): 45 created, 37 s"
    assert finished(failed, plain=False).plain == "✗ pulumi up (dev): failed after 37 s (45 created)"
    assert finished(done, plain=True).plain == "ok pulumi up (dev): 45 created, 37 s"
