"""The embedding API against the real engine, with a small program in the place of the stack's: no plugin is needed."""

from __future__ import annotations

import io
import re
import tempfile
import threading
import traceback
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from overtime import automation
from overtime.automation import (
    WITHHELD,
    ConcurrentUpdateError,
    Deployment,
    DeploymentError,
    Diagnostic,
    Engine,
    Progress,
    ResourceStep,
    StackNotFoundError,
)
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.engine import Engine as PulumiEngine
    from overtime.automation import Event

    Program = Callable[..., dict[str, object]]

pytestmark = pytest.mark.e2e


class Part(pulumi.ComponentResource):
    """Something to make."""

    def __init__(self, name: str) -> None:
        super().__init__("overtime:index:Part", name)
        self.register_outputs({})


def small(*_args: object, **_options: object) -> dict[str, object]:
    Part("one")
    pulumi.warn("the token is t0ps3cret")
    return {"plain": 1, "token": pulumi.Output.secret("h1dden"), "nested": {"token": pulumi.Output.secret("h1dden")}}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[[Program], None]:
    """Put another program in the place of the stack's."""

    def use(build: Program) -> None:
        monkeypatch.setattr(automation.program, "build", build)

    use(small)
    return use


@pytest.fixture
def make(
    pulumi_engine: PulumiEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: object
) -> Callable[..., Deployment]:
    """Make a deployment whose state is in this test's folder."""
    assert program
    for name in ("code", "state", "temporary", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "code" / "handler.py").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    def make(**engine: Any) -> Deployment:
        function = {"code": "code", "handler": "handler.handler", "environment": {"TOKEN": "t0ps3cret"}}
        options = {"passphrase": "p4ssphrase", "backend_url": (tmp_path / "state").as_uri()} | engine
        return Deployment(
            {"functions": {"report": function}},
            stack="dev",
            root=tmp_path,
            region="eu-west-1",
            engine=Engine(root=pulumi_engine.folder.parent, home=tmp_path / "home", **options),
        )

    return make


def test_life_of_a_stack(make: Callable[..., Deployment]) -> None:
    """Preview makes nothing, up makes it, a second up changes nothing, destroy leaves nothing, not even the stack."""
    deployment = make()

    assert dict(deployment.preview().changes) == {"create": 2}
    assert dict(deployment.outputs()) == {}
    made = deployment.up()
    assert dict(made.changes) == {"create": 2}
    assert made.outputs == deployment.outputs() == {"plain": 1, "token": WITHHELD, "nested": {"token": WITHHELD}}
    assert make().up().unchanged
    assert make().refresh().unchanged
    assert dict(deployment.destroy(remove=True).changes) == {"delete": 2}
    with pytest.raises(StackNotFoundError, match="no stack named 'dev' found"):
        deployment.destroy()


def test_destroy_keeps_the_stack(make: Callable[..., Deployment]) -> None:
    """Unless it is to be removed too, a destroyed stack is still there, empty."""
    deployment = make()
    deployment.up()

    deployment.destroy()

    assert dict(deployment.outputs()) == {}


def test_secrets_when_asked(make: Callable[..., Deployment]) -> None:
    """Secret outputs are given to those who ask for them."""
    deployment = make()
    deployment.up()

    assert deployment.outputs(secrets=True) == {"plain": 1, "token": "h1dden", "nested": {"token": "h1dden"}}


def test_progress(make: Callable[..., Deployment]) -> None:
    """The callback hears each resource begin and end, and what is said, without secrets."""
    heard: list[Event] = []

    make().up(heard.append)

    steps = [each for each in heard if isinstance(each, ResourceStep)]
    parts = [(each.operation, each.status) for each in steps if each.type == "overtime:index:Part"]
    assert {each.name for each in steps} == {"one", "overtime-dev"}
    assert parts[0] == ("create", "started")
    assert parts[-1] == ("create", "done")
    texts = [each for each in heard if isinstance(each, Diagnostic)]
    assert [(each.severity, each.text) for each in texts] == [("warning", f"the token is {WITHHELD}")]


def test_progress_that_is_shown(make: Callable[..., Deployment], tmp_path: Path) -> None:
    """Few lines without a terminal; the log has each event, with the secret that the program says withheld."""
    stream, log = io.StringIO(), tmp_path / "log"
    progress = Progress(stream=stream, log=log)
    deployment = make()

    deployment.preview(progress)
    deployment.up(progress)
    deployment.up(progress)
    deployment.destroy(progress, remove=True)

    shown = stream.getvalue().splitlines()
    # On a slow machine, there are also lines on how far an operation has come after 5 seconds, 10 seconds and so on.
    lines = [re.sub(r", \d+ s$", "", line) for line in shown if not re.search(r"\(dev\): \d+ s, ", line)]
    warning, log_line = f"overtime: warning: the token is {WITHHELD}", f"overtime: log: {log}"
    assert lines == [
        *(warning, "overtime: pulumi preview (dev): 2 to create", log_line),
        *(warning, "overtime: pulumi up (dev): 2 created", log_line),
        *(warning, "overtime: pulumi up (dev): 2 unchanged", log_line),
        *("overtime: pulumi destroy (dev): 2 deleted", log_line),
    ]
    written = log.read_text(encoding="utf-8")
    assert "create done: overtime:index:Part one" in written
    assert "t0ps3cret" not in written + stream.getvalue()
    assert "h1dden" not in written + stream.getvalue()


def test_progress_of_what_fails(make: Callable[..., Deployment], tmp_path: Path) -> None:
    """The error that reaches the caller is in the log, whole."""
    make().up()
    stream, log = io.StringIO(), tmp_path / "log"

    with pytest.raises(DeploymentError) as caught:
        make(passphrase="another").up(Progress(stream=stream, log=log))

    assert "incorrect passphrase" in str(caught.value)
    flat = re.sub(r"\n +", "\n", log.read_text(encoding="utf-8"))
    assert re.sub(r"\n +", "\n", str(caught.value)) in flat
    assert stream.getvalue().splitlines()[-1] == f"overtime: log: {log}"


def test_nothing_is_left_behind(make: Callable[..., Deployment], tmp_path: Path) -> None:
    """The engine's working folder is gone after each operation, also after one that failed."""
    deployment = make()
    deployment.up()
    with pytest.raises(DeploymentError):
        make(passphrase="another").up()

    left = [each.name for each in (tmp_path / "temporary").iterdir() if each.name.startswith(("overtime-", "auto"))]
    assert left == []


def test_wrong_passphrase(make: Callable[..., Deployment]) -> None:
    """Another passphrase than the stack's is told, with the parameter that takes it."""
    make().up()

    with pytest.raises(DeploymentError, match="incorrect passphrase") as caught:
        make(passphrase="another").up()
    assert "Engine(passphrase=...)" in str(caught.value)


def test_error_of_ours_in_the_program(make: Callable[..., Deployment], program: Callable[[Program], None]) -> None:
    """An error that overtime itself raises within the program reaches the caller as it is."""
    refusal = OvertimeError("jmespath is too old")

    def refuse(*_args: object, **_options: object) -> dict[str, object]:
        raise refusal

    program(refuse)
    with pytest.raises(OvertimeError) as caught:
        make().up()
    assert caught.value is refusal


def test_mistake_in_the_program(make: Callable[..., Deployment], program: Callable[[Program], None]) -> None:
    """Any other exception of the program is a failed deployment, caused by it; no secret shows anywhere."""

    def mistake(*_args: object, **_options: object) -> dict[str, object]:
        pulumi.warn("the token is t0ps3cret")  # the engine prints it, and its own error holds all that it printed
        raise ValueError("boom")

    program(mistake)
    with pytest.raises(DeploymentError, match="boom") as caught:
        make().up()
    assert isinstance(caught.value.__cause__, ValueError)
    assert "t0ps3cret" not in "".join(traceback.format_exception(caught.value))


def test_two_updates_at_once(make: Callable[..., Deployment], program: Callable[[Program], None]) -> None:
    """While an update is going on, a second one is refused; the first is not disturbed."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(*_args: object, **_options: object) -> dict[str, object]:
        inside.set()
        assert go_on.wait(60)
        return {}

    program(slow)
    results: list[object] = []
    first = threading.Thread(target=lambda: results.append(make().up().changes))
    first.start()
    try:
        assert inside.wait(60)
        with pytest.raises(ConcurrentUpdateError, match="currently locked"):
            make().up()
    finally:
        go_on.set()
        first.join(60)
    assert results == [{"create": 1}]


def test_lock_of_a_dead_update(make: Callable[..., Deployment], tmp_path: Path) -> None:
    """A lock that an update left which died is broken by cancel."""
    deployment = make()
    deployment.up()
    lock = tmp_path / "state" / ".pulumi" / "locks" / "organization" / "overtime" / "dev" / "dead.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text('{"pid": 1, "username": "root", "hostname": "elsewhere", "timestamp": "2024-01-01T00:00:00Z"}')
    with pytest.raises(ConcurrentUpdateError, match="elsewhere"):
        deployment.up()

    deployment.cancel()

    assert deployment.up().unchanged


def test_callback_that_fails(make: Callable[..., Deployment]) -> None:
    """A callback's own exception reaches the caller, after the update was finished."""
    deployment = make()

    with pytest.raises(ZeroDivisionError):
        deployment.up(lambda _event: 1 // 0)

    assert deployment.up().unchanged
