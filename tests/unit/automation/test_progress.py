"""A deployment's progress, made of the engine's own events."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.automation import EngineEvent

from overtime.automation import Deployment, DeploymentError, Diagnostic, Engine, Progress, ResourceStep
from overtime.automation.events import Redactor
from overtime.automation.listener import Listener
from overtime.automation.progress import after, line, resources
from overtime.progress import Log, Phase, Reporter, display_on

if TYPE_CHECKING:
    from pathlib import Path

    from overtime.automation.events import Status

BEGUN = Phase(title="pulumi up (dev)", began=0)
SECRET = "t0ps3cret"


def step(
    name: str, status: Status, *, operation: str = "create", kind: str = "aws:sqs/queue:Queue", **more: Any
) -> ResourceStep:
    urn = f"urn:pulumi:dev::overtime::{kind}::{name}"
    return ResourceStep(operation=operation, status=status, type=kind, name=name, urn=urn, **more)


def engine_event(**kind: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, **kind})


def metadata(name: str) -> dict[str, object]:
    """Return an engine's step, with values such as it has in life."""
    values = {"custom": True, "inputs": {"TOKEN": SECRET}, "outputs": {"event": "an-event-of-somebody"}}
    kind = "aws:lambda/function:Function"
    urn = f"urn:pulumi:dev::overtime::{kind}::{name}"
    return {"op": "create", "urn": urn, "type": kind, "provider": "", "diffs": ["environment"], "new": values}


def heard(*events: ResourceStep | Diagnostic, planned: bool = False) -> Phase:
    phase = BEGUN
    for at, event in enumerate(events, 1):
        phase = after(phase, event, at, planned=planned)
    return phase


def test_a_step_is_a_piece_of_work() -> None:
    """Its kind is shortened as the engine's own display does it."""
    phase = heard(step("report-queue", "started"))
    (item,) = phase.working.values()
    assert (item.doing, item.kind, item.name, item.since) == ("creating", "aws:sqs:Queue", "report-queue", 1)
    assert after(phase, step("report-queue", "done"), 2).counts == {"created": 1}
    assert after(phase, step("report-queue", "failed"), 2).counts == {"failed": 1}


@pytest.mark.parametrize(
    ("operation", "word"),
    [
        ("create", "created"),
        ("update", "updated"),
        ("same", "unchanged"),
        ("delete", "deleted"),
        ("replace", "replaced"),
        ("new-in-pulumi-4", "new-in-pulumi-4"),
    ],
)
def test_operations_have_words(operation: str, word: str) -> None:
    assert heard(step("a", "done", operation=operation)).counts == {word: 1}


def test_a_preview_says_what_would_be_done() -> None:
    steps = (step("a", "done"), step("b", "done", operation="same"), step("c", "done", operation="delete"))
    assert heard(*steps, planned=True).counts == {"to create": 1, "unchanged": 1, "to delete": 1}


def test_a_replacement_counts_once() -> None:
    """The engine tells three steps of it, the last one at the end of the update."""
    operations = ("create-replacement", "replace", "delete-replaced")
    steps = [step("a", status, operation=each) for each in operations for status in ("started", "done")]
    assert heard(*steps).counts == {"replaced": 1}
    assert heard(*steps[:1]).total == 1


def test_providers_are_no_resources() -> None:
    """The engine makes them by itself, and leaves them out of its own counts."""
    assert heard(step("default", "started", kind="pulumi:providers:aws")) == BEGUN


def test_components_hold_others() -> None:
    """A translated step knows whether a provider makes the resource."""
    listener_heard: list[Any] = []
    listener = Listener(listener_heard.append, Redactor([]))
    for custom in (True, False):
        # The engine leaves out what is false.
        said = metadata("a") | {"new": {"type": "a:b:C"} | ({"custom": True} if custom else {})}
        listener.hear(engine_event(resourcePreEvent={"metadata": said}))
    assert [each.component for each in listener_heard] == [False, True]
    (item,) = heard(step("platform", "started", component=True)).working.values()
    assert item.group


def test_a_builds_own_progress_passes() -> None:
    """It is shown under what is being built, until the next line of it."""
    said = [Diagnostic(severity="info", text=text, passing=True) for text in ("#1 FROM", "#2 COPY")]
    assert heard(*said).passing == "#2 COPY"
    assert heard(Diagnostic(severity="warning", text="beware")) == BEGUN


def test_the_log_names_properties_without_their_values() -> None:
    changed = step("a", "done", operation="update", changed=("code", "environment"))
    assert line(changed) == "update done: aws:sqs/queue:Queue a (code, environment)"
    assert line(step("a", "done")) == "create done: aws:sqs/queue:Queue a"


def test_resources_of_a_state_are_counted_as_the_engine_counts() -> None:
    kinds = ("pulumi:pulumi:Stack", "pulumi:providers:aws", "aws:sqs/queue:Queue")
    assert resources({"resources": [{"type": kind} for kind in kinds]}) == 2
    assert resources({}) == resources({"resources": None}) == resources(None) == 0


def test_an_operation_on_a_stream(tmp_path: Path) -> None:
    """Few lines: warnings once each, and what came of it; every event is in the log, which the last line names."""
    stream, log = io.StringIO(), tmp_path / "log"
    with Progress(stream=stream, log=log).operation("up", "dev") as operation:
        operation.expect(1)
        operation(step("a", "started"))
        for _ in range(2):
            operation(Diagnostic(severity="warning", text="deprecated", name="a"))
        operation(Diagnostic(severity="info", text="#1 FROM", passing=True))
        operation(step("a", "done"))
    assert stream.getvalue().splitlines() == [
        "overtime: warning: a: deprecated",
        "overtime: pulumi up (dev): 1 created",
        f"overtime: log: {log}",
    ]
    entries = [entry.partition(" ")[2] for entry in log.read_text(encoding="utf-8").splitlines()]
    assert entries == [
        "pulumi up (dev): begins",
        "create started: aws:sqs/queue:Queue a",
        "warning: a: deprecated",
        "warning: a: deprecated",
        "info: #1 FROM",
        "create done: aws:sqs/queue:Queue a",
        "pulumi up (dev): 1 created",
    ]


def test_a_failed_operation(tmp_path: Path) -> None:
    """The caller gets the error, the log has it in full, and the last line names the log."""
    stream, log = io.StringIO(), tmp_path / "log"
    error = DeploymentError("up of stack 'dev' failed:\n  error: AccessDenied\nFix it.", stack="dev", action="up")

    def fail() -> None:
        with Progress(stream=stream, log=log).operation("up", "dev") as operation:
            operation(step("a", "started"))
            operation(Diagnostic(severity="error", text="AccessDenied", name="a"))
            operation(step("a", "failed"))
            raise error

    with pytest.raises(DeploymentError) as caught:
        fail()
    assert caught.value is error
    assert stream.getvalue().splitlines() == [
        "overtime: pulumi up (dev): failed after 0 s (1 failed)",
        f"overtime: log: {log}",
    ]
    written = log.read_text(encoding="utf-8")
    assert "error: a: AccessDenied\n" in written
    assert "error: up of stack 'dev' failed:\n      error: AccessDenied\n    Fix it.\n" in written


def test_among_the_phases_of_a_command(tmp_path: Path) -> None:
    """A reporter's owner names the log, and may keep what it expects out of sight."""
    stream, log = io.StringIO(), Log(tmp_path / "log")
    progress = Progress(reporter=Reporter(display_on(stream, {}), log), log_only=lambda event: "PATH" in str(event))
    with progress.operation("up", "dev") as operation:
        operation(Diagnostic(severity="warning", text="using a plugin from $PATH"))
    assert stream.getvalue() == "overtime: pulumi up (dev): done\n"
    log.write("still open")
    assert "from $PATH" in (tmp_path / "log").read_text(encoding="utf-8")


def test_no_value_is_shown_or_written(tmp_path: Path) -> None:
    """Neither a property's value, nor a secret that a provider or the engine quotes, in whatever event it comes."""
    stream, log = io.StringIO(), tmp_path / "log"
    with Progress(stream=stream, log=log).operation("up", "dev") as operation:
        listener = Listener(operation, Redactor([SECRET]))
        for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            listener.hear(engine_event(**{kind: {"metadata": metadata("report-function")}}))
        for severity, ephemeral in (("info", True), ("warning", False), ("error", False), ("debug", False)):
            said = {"message": f"sent TOKEN={SECRET}", "severity": severity, "ephemeral": ephemeral}
            listener.hear(engine_event(diagnosticEvent=said))
        listener.hear(engine_event(preludeEvent={"config": {"overtime:functions": SECRET}}))
    written = log.read_text(encoding="utf-8")
    assert "create done: aws:lambda/function:Function report-function (environment)" in written
    assert "warning: sent TOKEN=[secret]" in stream.getvalue()
    for text in (written, stream.getvalue()):
        assert SECRET not in text
        assert "an-event-of-somebody" not in text


def test_a_deployment_prints_nothing_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a library. With a `Progress` it shows what it does, also a failure before the engine has begun."""
    (tmp_path / "handler.py").write_text("")
    function = {"code": ".", "handler": "handler.handler"}
    deployment = Deployment(
        {"functions": {"report": function}}, stack="dev", root=tmp_path, engine=Engine(root=tmp_path / "nowhere")
    )
    for listener in (None, print):
        with pytest.raises(DeploymentError):
            deployment.up(listener)
    assert capsys.readouterr() == ("", "")
    log = tmp_path / "log"
    with pytest.raises(DeploymentError):
        deployment.up(Progress(log=log))
    assert capsys.readouterr().out.splitlines() == [
        "overtime: pulumi up (dev): failed after 0 s",
        f"overtime: log: {log}",
    ]
    assert "no usable `pulumi`" in log.read_text(encoding="utf-8")
