"""A deployment as far as it goes without an engine; tests/e2e/automation has the rest."""

from __future__ import annotations

import inspect
from pathlib import Path
from textwrap import dedent
from unittest.mock import Mock

import pytest
from pulumi.automation import CommandResult, EngineEvent
from pulumi.automation import Deployment as State
from pulumi.automation.errors import create_command_error

from overtime import automation
from overtime.automation import (
    ConcurrentUpdateError,
    Deployment,
    DeploymentError,
    Engine,
    EngineUnusableError,
    OvertimeError,
    ProtectedError,
    Result,
    SettingsError,
    StackNotFoundError,
)
from overtime.automation.events import Redactor
from overtime.automation.failures import error_of, refuse_protected
from overtime.automation.listener import Listener
from overtime.components.archives import SOURCES
from overtime.settings import Function, Settings

NOWHERE = Engine(root=Path("/nonexistent"))
RIGHT: dict[str, object] = {"functions": {"report": {"code": ".", "handler": "handler.handler"}}}
WRONG: dict[str, object] = {"functions": {"report": {"code": ".", "handler": "handler.handler", "attempts": 9}}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "handler.py").write_text("")
    return tmp_path


def failure(stderr: str, errors: tuple[str, ...] = (), secrets: tuple[str, ...] = ()) -> DeploymentError:
    listener = Listener(None, Redactor(secrets))
    for text in errors:
        said = {"message": text, "severity": "error"}
        listener.hear(EngineEvent.from_json({"sequence": 1, "timestamp": 1, "diagnosticEvent": said}))
    result = CommandResult(stdout="t0ps3cret", stderr=stderr, code=255)
    return error_of(create_command_error(result), listener, stack="dev", action="up")


def test_wrong_settings(root: Path) -> None:
    """Wrong settings are refused when the deployment is made, before an engine is even looked for."""
    with pytest.raises(SettingsError, match="1 setting is invalid") as caught:
        Deployment(WRONG, stack="dev", root=root, engine=NOWHERE)
    assert "overtime:functions.report.attempts = 9" in str(caught.value)


def test_wrong_settings_made_in_python(root: Path) -> None:
    """So are settings that were made as models."""
    settings = Settings(functions={"report": Function(code="nothing", handler="handler.handler")})
    with pytest.raises(SettingsError, match=r"overtime:functions\.report\.code = 'nothing'"):
        Deployment(settings, stack="dev", root=root, engine=NOWHERE)


def test_mapping_and_models_are_the_same(root: Path) -> None:
    """Settings may be a mapping or models."""
    settings = Settings(functions={"report": Function(code=".", handler="handler.handler")})
    assert Deployment(RIGHT, stack="dev", root=root).settings == Deployment(settings, stack="dev", root=root).settings


def test_names(root: Path) -> None:
    """Project and stack name the functions; an organization before the stack's name does not."""
    deployment = Deployment(RIGHT, stack="acme/dev", project="reports", root=root)
    assert deployment.context.function_name("report") == "reports-dev-report"


def test_current_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a root, relative code is looked for in the current folder."""
    monkeypatch.chdir(root)
    assert Deployment(RIGHT, stack="dev").context.root == root.resolve()


def test_region(root: Path) -> None:
    """The region that a deployment is given is the one that its settings are held against."""
    function = {"code": ".", "handler": "handler.handler"}
    told = {"on_success": "arn:aws:sqs:us-east-1:123456789012:finished-runs"}
    data = {"functions": {"report": {**function, "destinations": told}}}
    assert Deployment(data, stack="dev", root=root, region="us-east-1").context.region == "us-east-1"
    with pytest.raises(SettingsError, match="stack's region, eu-west-1, and cannot reach us-east-1"):
        Deployment(data, stack="dev", root=root, region="eu-west-1")


def test_no_engine(root: Path) -> None:
    """Where there is no engine, the error says where it was looked for and how to get one."""
    deployment = Deployment(RIGHT, stack="dev", root=root, engine=NOWHERE)
    for action in (deployment.preview, deployment.up, deployment.refresh, deployment.destroy, deployment.outputs):
        with pytest.raises(EngineUnusableError, match=r"no usable `pulumi` at '/nonexistent/bin/pulumi'") as caught:
            action()
        assert "https://www.pulumi.com/docs/install/" in str(caught.value)
        assert caught.value.stack == "dev"


def test_engine_too_old(root: Path, tmp_path: Path) -> None:
    """An engine that the library does not work with is refused with its version."""
    binary = tmp_path / "bin" / "pulumi"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\necho v2.0.0\n")
    binary.chmod(0o755)
    with pytest.raises(EngineUnusableError, match=r"your current CLI version is 2\.0\.0"):
        Deployment(RIGHT, stack="dev", root=root, engine=Engine(root=tmp_path)).up()


def test_engine_variables() -> None:
    """What an engine is told stands in its environment, what the caller gives beside it too."""
    engine = Engine(backend_url="file:///state", passphrase="p4ssphrase", environment={"AWS_PROFILE": "mine"})
    assert engine.variables() == {
        "AWS_PROFILE": "mine",
        "PULUMI_BACKEND_URL": "file:///state",
        "PULUMI_CONFIG_PASSPHRASE": "p4ssphrase",
    }
    assert Engine().variables() == {}


def test_nothing_secret_in_reprs(root: Path) -> None:
    """Passphrase, environment and the function's variables do not show when things are printed."""
    engine = Engine(passphrase="p4ssphrase", environment={"AWS_SECRET_ACCESS_KEY": "k3y-of-aws"})
    function = {"code": ".", "handler": "handler.handler", "environment": {"TOKEN": "t0ps3cret"}}
    deployment = Deployment({"functions": {"report": function}}, stack="dev", root=root, engine=engine)
    for text in (repr(engine), repr(deployment), repr(deployment.settings)):
        assert not [secret for secret in ("p4ssphrase", "k3y-of-aws", "t0ps3cret") if secret in text]


def test_secrets_of_the_engine_are_withheld_from_messages(root: Path) -> None:
    """The engine or a plugin may quote its variables in a message, which is shown and logged."""
    variables = {"AWS_SECRET_ACCESS_KEY": "k3y-of-aws", "PULUMI_ACCESS_TOKEN": "t0ken", "AWS_PROFILE": "mine"}
    engine = Engine(passphrase="p4ssphrase", environment=variables)
    deployment = Deployment(RIGHT, stack="dev", root=root, engine=engine)
    assert set(deployment._secrets()) >= {"p4ssphrase", "k3y-of-aws", "t0ken"}
    assert "mine" not in set(deployment._secrets())


def test_failure_names_what_the_engine_said() -> None:
    """A failed update says which stack, each error once, and what to do."""
    error = failure(
        "error: update failed", ("creating role: AccessDenied", "update failed: creating role: AccessDenied")
    )
    assert str(error) == (
        "up of stack 'dev' failed:\n"
        "  error: creating role: AccessDenied\n"
        "Fix the cause and run it again; the state contains what was done so far."
    )
    assert [each.text for each in error.diagnostics] == ["creating role: AccessDenied"]
    assert (error.stack, error.action) == ("dev", "up")


def test_failure_without_diagnostics() -> None:
    """Without an error event, what the engine printed is told."""
    assert "\n  error: unable to open state directory\n" in str(failure("error: unable to open state directory"))


def test_failure_without_words() -> None:
    """An engine that dies silently is told as that."""
    assert "\n  the engine printed no error\n" in str(failure(""))


@pytest.mark.parametrize(
    ("stderr", "kind", "advice"),
    [
        ("error: the stack is currently locked by 1 lock(s)", ConcurrentUpdateError, "cancel() removes its lock"),
        (
            "error: [409] Conflict: Another update is currently in progress.",
            ConcurrentUpdateError,
            "Wait until the other update has ended",
        ),
        ("error: no stack named 'dev' found", StackNotFoundError, "create the stack with up()"),
        ("error: failed to decrypt: incorrect passphrase", DeploymentError, "Set Engine(passphrase=...)"),
    ],
)
def test_kinds_of_failure(stderr: str, kind: type[DeploymentError], advice: str) -> None:
    """What callers may want to treat differently has a class of its own, and its own way out."""
    error = failure(stderr)
    assert type(error) is kind
    assert advice in str(error)


def test_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The example in the package's documentation works, in ten lines or fewer."""
    document = inspect.getdoc(automation) or ""
    example = dedent("\n".join(line for line in document.splitlines() if line.startswith("    ")))
    up = Mock(return_value=Result(changes={"create": 40}, seconds=60, outputs={"functions": {}}))
    monkeypatch.setattr(Deployment, "up", up)
    monkeypatch.chdir(SOURCES)

    exec(compile(example, "example", "exec"), {})

    assert len(example.splitlines()) <= 10
    up.assert_called_once_with(print)
    assert capsys.readouterr().out == "{'create': 40} {}\n"


def test_one_family() -> None:
    """People who embed overtime catch everything with one class."""
    for kind in (SettingsError, DeploymentError, ConcurrentUpdateError, StackNotFoundError, EngineUnusableError):
        assert issubclass(kind, OvertimeError)


def test_failures_keep_secrets() -> None:
    """The text of a failure does not show a secret that the engine printed."""
    error = failure("error: value t0ps3cret refused", secrets=("t0ps3cret",))
    assert "value [secret] refused" in str(error)


def test_a_protected_resource_is_named_before_anything_is_deleted() -> None:
    """The engine itself would delete what it comes to first."""
    urn = "urn:pulumi:dev::overtime::aws:sqs/queue:Queue::report-"
    resources = [{"urn": f"{urn}queue", "protect": True}, {"urn": f"{urn}parking", "protect": True}, {"urn": f"{urn}x"}]
    with pytest.raises(ProtectedError, match=r"nothing was deleted: report-parking, report-queue are protected"):
        refuse_protected(State(version=3, deployment={"resources": resources}), stack="dev")
    refuse_protected(State(version=3, deployment={"resources": resources[2:]}), stack="dev")
    refuse_protected(State(version=3, deployment={}), stack="dev")
