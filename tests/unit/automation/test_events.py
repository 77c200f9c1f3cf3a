"""What callers hear of a deployment, made of the engine's own events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from overtime.automation import WITHHELD, Diagnostic, ResourceStep
from overtime.automation.events import Redactor, translate
from overtime.automation.listener import Listener

URN = "urn:pulumi:dev::overtime::overtime:index:PrimaryFunction$aws:lambda/function:Function::report-function"
STEP = {
    "op": "update",
    "urn": URN,
    "type": "aws:lambda/function:Function",
    "provider": "",
    "diffs": ["code", "environment"],
    "old": {"inputs": {"environment": {"variables": {"TOKEN": "t0ps3cret"}}}},
    "new": {
        "custom": True,
        "inputs": {"environment": {"variables": {"TOKEN": "t0ps3cret"}}},
        "outputs": {"arn": "arn:aws:x"},
    },
}
SILENT = Redactor([])


def event(**kind: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, **kind})


def diagnostic(message: str, severity: str = "error", **more: Any) -> EngineEvent:
    return event(diagnosticEvent={"message": message, "color": "never", "severity": severity, **more})


@pytest.mark.parametrize(
    ("kind", "status"), [("resourcePreEvent", "started"), ("resOutputsEvent", "done"), ("resOpFailedEvent", "failed")]
)
def test_steps(kind: str, status: str) -> None:
    """A step names the resource, what is done with it and how it stands, and which properties differ."""
    said = translate(event(**{kind: {"metadata": STEP}}), SILENT)

    assert said == ResourceStep(
        operation="update",
        status=status,  # type: ignore[arg-type] # pytest knows it as text
        type="aws:lambda/function:Function",
        name="report-function",
        urn=URN,
        changed=("code", "environment"),
    )
    assert str(said) == f"update {status}: aws:lambda/function:Function report-function"


def test_steps_hold_no_values() -> None:
    """The values that the engine's event holds, secret or not, are not in ours."""
    said = repr(translate(event(resOutputsEvent={"metadata": STEP}), SILENT))
    assert "t0ps3cret" not in said
    assert "arn:aws:x" not in said


@pytest.mark.parametrize(
    ("theirs", "ours"), [("error", "error"), ("warning", "warning"), ("info", "info"), ("info#err", "info")]
)
def test_diagnostics(theirs: str, ours: str) -> None:
    """A diagnostic says how bad it is and which resource it is about, without the engine's markup."""
    said = translate(diagnostic("<{%fg 1%}>no such role<{%reset%}>\n", theirs, urn=URN, ephemeral=True), SILENT)

    assert said == Diagnostic(severity=ours, text="no such role", name="report-function", passing=True)  # type: ignore[arg-type]
    assert str(said) == f"{ours}: report-function: no such role"


@pytest.mark.parametrize(
    "silent",
    [
        diagnostic("registering resource", "debug"),
        diagnostic("<{%reset%}>\n"),
        event(preludeEvent={"config": {}}),
        event(summaryEvent={"resourceChanges": {"same": 1}}),
        event(cancelEvent={}),
    ],
)
def test_silence(silent: EngineEvent) -> None:
    """The library's own trace, empty texts and the engine's bookkeeping are not passed on."""
    assert translate(silent, SILENT) is None


@pytest.mark.parametrize("secret", ["t0ps3cret", 'with "quotes" in it', "two\nlines"])
def test_secrets_in_texts(secret: str) -> None:
    """A variable's value that a provider quotes, plainly or as JSON, is withheld from the text."""
    said = translate(diagnostic(f"refused: {secret}! sent: {json.dumps({'TOKEN': secret})}"), Redactor([secret]))

    assert isinstance(said, Diagnostic)
    assert said.text == f'refused: {WITHHELD}! sent: {{"TOKEN": "{WITHHELD}"}}'


def test_secrets_within_secrets() -> None:
    """Of two secrets of which one is part of the other, nothing is left over."""
    assert Redactor(["s3cret", "s3cret-and-more"]).redacted("a s3cret-and-more b s3cret") == "a [secret] b [secret]"


def test_flags_are_no_secrets() -> None:
    """Values such as `1` or `true` stay readable: to replace them would garble every text and hide nothing."""
    assert Redactor(["1", "true", "8080", ""]).redacted("1 is not true on 8080") == "1 is not true on 8080"


def test_result() -> None:
    """The engine's own count is the result, whichever operation it was."""
    listener = Listener(None, SILENT)
    listener.hear(event(summaryEvent={"resourceChanges": {"same": 38, "update": 2}, "durationSeconds": 7}))

    result = listener.result()

    assert (dict(result.changes), result.seconds, result.unchanged) == ({"same": 38, "update": 2}, 7, False)


@pytest.mark.parametrize(
    ("changes", "unchanged"),
    [({"same": 40}, True), ({}, True), ({"same": 3, "create": 1}, False), ({"delete": 1}, False)],
)
def test_unchanged(changes: dict[str, int], unchanged: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    """A result says whether anything was done."""
    listener = Listener(None, SILENT)
    listener.hear(event(summaryEvent={"resourceChanges": changes}))
    assert listener.result().unchanged is unchanged


def test_callback_that_fails() -> None:
    """What a caller's callback raises reaches the caller once the engine is done; it is not called again."""
    heard: list[object] = []

    def fails(said: object) -> None:
        heard.append(said)
        raise ZeroDivisionError

    listener = Listener(fails, SILENT)
    listener.hear(diagnostic("one"))
    listener.hear(diagnostic("two"))
    listener.hear(event(summaryEvent={"resourceChanges": {"same": 1}}))

    with pytest.raises(ZeroDivisionError):
        listener.result()
    assert len(heard) == 1
    assert [each.text for each in listener.errors] == ["one", "two"]
