"""The log file has everything, whatever is shown."""

from __future__ import annotations

import io
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from overtime.errors import OvertimeError
from overtime.progress import Log, Passing, Reporter, display_on


def log_at(path: Path) -> Log:
    return Log(path, now=lambda: datetime(2025, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC))


def test_each_line_has_its_time(tmp_path: Path) -> None:
    """A text of several lines is one entry; what a terminal would obey is left out."""
    log = log_at(tmp_path / "log")
    log.write("one")
    log.write("two\n\x1b[31mmore")
    assert (tmp_path / "log").read_text(encoding="utf-8") == (
        "2025-01-02T03:04:05.678+00:00 one\n2025-01-02T03:04:05.678+00:00 two\n    more\n"
    )


def test_an_older_log_becomes_readable_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    (tmp_path / "log").chmod(0o644)
    log_at(tmp_path / "log").write("after")
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


class Gone(io.StringIO):
    """A terminal that is gone."""

    def write(self, _: str) -> int:
        """Fail, as a write to a closed pipe does."""
        raise BrokenPipeError


@pytest.mark.parametrize("error", [None, OvertimeError("the reason")])
def test_a_phase_ends_as_its_work_did_though_nobody_reads(tmp_path: Path, error: OvertimeError | None) -> None:
    """A terminal that is gone neither fails a success nor hides the reason of a failure."""
    raised: BaseException | None = None
    stream = io.StringIO()
    report = Reporter(display_on(stream, {}), log_at(tmp_path / "log"))
    try:
        with report.phase("engine"):
            stream.write = Gone().write  # type: ignore[method-assign]
            if error:
                raise error
    except (OSError, OvertimeError) as caught:
        raised = caught
    assert raised is error


def test_the_log_has_what_is_not_shown(tmp_path: Path) -> None:
    log, stream = log_at(tmp_path / "log"), io.StringIO()
    report = Reporter(display_on(stream, {}), log)
    with report.phase("engine") as phase:
        phase("engine: building pulumi")
        phase(Passing("net/http"))
        phase.summary = "pulumi 3.259.0"
    report.say("ready")
    report.show("shown only")
    entries = [line.partition(" ")[2] for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
    assert entries == [
        "engine: begins",
        "engine: building pulumi",
        "net/http",
        "engine: pulumi 3.259.0",
        "ready",
    ]
    assert "net/http" not in stream.getvalue()
    assert stream.getvalue().endswith("overtime: ready\nshown only\n")


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    log_at(tmp_path / "log")
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_a_second_one_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    for text in ("one", "two"):
        log = log_at(tmp_path / "log")
        log.write(text)
        log.close()
    assert len((tmp_path / "log").read_text(encoding="utf-8").splitlines()) == 2


def test_by_default_it_is_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    logs = [Log(name="up"), Log(name="up")]
    assert sorted(each.path for each in logs) == sorted(str(file) for file in tmp_path.glob("overtime-up-*.log"))


def test_an_error_is_written_in_full_and_once(tmp_path: Path) -> None:
    log, error = log_at(tmp_path / "log"), OvertimeError("up failed:\n  no rights\nAsk for them.")
    log.failure(error)
    log.failure(error)
    assert (tmp_path / "log").read_text(encoding="utf-8").splitlines() == [
        "2025-01-02T03:04:05.678+00:00 error: up failed:",
        "      no rights",
        "    Ask for them.",
    ]


def test_of_an_error_that_is_not_ours_the_place_is_written(tmp_path: Path) -> None:
    """Its text may quote any value, an event's or a variable's."""
    log = log_at(tmp_path / "log")
    try:
        {"a": 1}["t0ps3cret"]
    except KeyError as error:
        log.failure(error)
    written = (tmp_path / "log").read_text(encoding="utf-8")
    assert "error: KeyError" in written
    assert "in test_of_an_error_that_is_not_ours" in written
    assert "KeyError('" not in written
    assert "KeyError: " not in written


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    """What was reported goes on; the line that names the log says that something is missing from it."""
    log = Log(Path("/dev/full"))
    report = Reporter(display_on(io.StringIO(), {}), log)
    report.say("one")
    report.say("two")
    log.close()
    assert log.reference == "log: /dev/full (incomplete: No space left on device)"
    assert log_at(tmp_path / "log").reference == f"log: {tmp_path / 'log'}"
