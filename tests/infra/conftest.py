from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi.runtime import mocks
from pulumi.runtime.settings import ROOT

from overtime.program import build
from overtime.settings import StackContext, parse
from tests.infra.recording import Answers, Monitor, Recorder

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[[Callable[[], object]], None]
Deploy = Callable[..., dict[str, Any]]


@pytest.fixture
def recorder() -> Recorder:
    """Resources that one program registers."""
    found = Recorder()
    ROOT.set(None)  # the stack of another test keeps that one's transformations
    mocks.set_mocks(Answers(found), project="overtime", stack="test", preview=False, monitor=Monitor(found))
    return found


@pytest.fixture
def run(recorder: Recorder) -> Run:
    """Run a program to its end, as the engine would."""
    assert recorder.resources == []

    def run(program: Callable[[], object]) -> None:
        to_its_end: Callable[[Callable[[], object]], Callable[[], None]] = mocks.test
        to_its_end(program)()

    return run


@pytest.fixture
def context(tmp_path: Path) -> StackContext:
    """Make a folder with a function's code in it."""
    (tmp_path / "handler.py").write_text("def handler(event, context): ...")
    return StackContext(project="overtime", stack="test", root=tmp_path)


@pytest.fixture
def deploy(run: Run, context: StackContext) -> Deploy:
    """Build a stack with functions of these settings, and give its exports."""

    def deploy(functions: dict[str, dict[str, Any]] | None = None, **more: object) -> dict[str, Any]:
        whole = {
            key: {"code": ".", "handler": "handler.handler", **function}
            for key, function in (functions or {"report": {}}).items()
        }
        outputs: dict[str, Any] = {}

        def program() -> pulumi.Output[None]:
            exports = build(parse({"functions": whole, **more}, context), context)
            return pulumi.Output.from_input(exports).apply(outputs.update)

        run(program)
        return outputs

    return deploy
