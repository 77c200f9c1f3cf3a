"""What a command of the local stack shows, and where the rest is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.errors import LocalError
from local.process import run
from local.steps import shown
from local.telling import INTERRUPTED, LOGS_KEPT, cleaning_up, head, reported
from overtime.automation import Diagnostic
from overtime.progress import Passing

if TYPE_CHECKING:
    from pathlib import Path

    from overtime.progress import Reporter


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the cache a folder of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "overtime" / "logs"


def only(logs: Path) -> Path:
    (log,) = logs.iterdir()
    return log


def test_the_last_line_names_the_log(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The log has everything, what passes included."""

    def work(report: Reporter) -> int:
        head(report, "Set-up")
        with report.phase("engine") as phase:
            phase("engine: building pulumi")
            phase(Passing("net/http"))
        report.say("ready")
        return 0

    assert reported("setup", work) == 0
    log = only(logs)
    assert log.name.startswith("setup-")
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "",
        "== Set-up ==",
        "overtime: engine: building pulumi",
        "overtime: engine: done",
        "overtime: ready",
        f"overtime: log: {log}",
    ]
    assert " net/http\n" in log.read_text(encoding="utf-8")


def test_a_failure_is_shown_in_full_and_then_the_log(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do, and with the last lines of the command that failed; the log has the same."""

    def work(report: Reporter) -> int:
        with report.phase("engine"):
            run(["sh", "-c", "echo no such module; exit 2"], because="Install pulumi and run this again.")
        return 0

    assert reported("setup", work) == 1
    log = only(logs)
    out, err = capsys.readouterr()
    assert out == "overtime: engine: failed after 0 s\n"
    assert err.splitlines() == [
        "overtime: \"sh -c 'echo no such module; exit 2'\" ended with status 2. Install pulumi and run this again.",
        "    no such module",
        f"overtime: log: {log}",
    ]
    assert "Install pulumi and run this again.\n        no such module\n" in log.read_text(encoding="utf-8")


def test_an_unexpected_error_is_shown_with_its_traceback(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def work(_report: Reporter) -> int:
        raise ZeroDivisionError("by nothing")

    assert reported("demo", work) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2:] == ["ZeroDivisionError: by nothing", f"overtime: log: {only(logs)}"]
    assert "error: ZeroDivisionError\n" in only(logs).read_text(encoding="utf-8")


def test_ctrl_c_is_told_in_a_line(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def work(_report: Reporter) -> int:
        raise KeyboardInterrupt

    assert reported("demo", work) == INTERRUPTED
    assert capsys.readouterr().err.splitlines() == ["overtime: interrupted", f"overtime: log: {only(logs)}"]


def test_the_newest_logs_are_kept(logs: Path) -> None:
    logs.mkdir(parents=True)
    for number in range(LOGS_KEPT + 5):
        (logs / f"demo-{number:03}.log").touch()
    others = logs / "notes.txt"
    others.touch()
    assert reported("demo", lambda _report: 0) == 0
    assert len(list(logs.glob("*.log"))) == LOGS_KEPT
    assert others.exists()


def test_a_log_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "overtime").touch()
    assert reported("demo", lambda _report: 0) == 1
    assert "The cache folder" in capsys.readouterr().err


def test_the_light_plugins_are_no_news(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The engine warns of each plugin on PATH, several times; here they are there on purpose."""
    texts = ("using pulumi-resource-aws from $PATH at /tmp/plugins/pulumi-resource-aws", "something else")

    def work(report: Reporter) -> int:
        with shown(report).operation("up", "local") as operation:
            for text in texts:
                operation(Diagnostic(severity="warning", text=text))
        return 0

    reported("demo", work)
    assert capsys.readouterr().out.splitlines()[:2] == [
        "overtime: warning: something else",
        "overtime: pulumi up (local): done",
    ]
    assert all(text in only(logs).read_text(encoding="utf-8") for text in texts)


@pytest.mark.parametrize("clean_up_fails", [True, False])
def test_the_first_error_is_the_one_that_is_told(clean_up_fails: bool, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: FBT001 - a parameter of pytest's
    """A stack that could not be made can often not be destroyed either, which is no news."""

    def clean_up() -> None:
        if clean_up_fails:
            raise LocalError("there is no such stack")

    def work(report: Reporter) -> int:
        with cleaning_up(clean_up, report):
            raise LocalError("no rights. Ask for them.")

    assert reported("demo", work) == 1
    out, err = capsys.readouterr()
    assert err.startswith("overtime: no rights. Ask for them.\n")
    assert out == ("overtime: warning: there is no such stack\n" if clean_up_fails else "")


def test_a_clean_up_that_fails_alone_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def clean_up() -> None:
        raise LocalError("protected")

    def work(report: Reporter) -> int:
        with cleaning_up(clean_up, report):
            pass
        return 0

    assert reported("demo", work) == 1
    assert capsys.readouterr().err.startswith("overtime: protected\n")


def test_an_error_that_says_what_to_do_has_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_report: Reporter) -> int:
        raise LocalError("A local stack runs already. Take it down first: make down-local")

    assert reported("up-local", work) == 1
    assert "Traceback" not in capsys.readouterr().err
