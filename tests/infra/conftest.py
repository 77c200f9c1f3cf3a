from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from overtime.settings import StackContext
from tests.infra import recording

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.recording import Recorder

Run = Callable[[Callable[[], object]], None]
Deploy = Callable[..., dict[str, Any]]


@pytest.fixture
def recorder() -> Recorder:
    """Resources that one program registers."""
    return recording.recording()


@pytest.fixture
def run(recorder: Recorder) -> Run:
    """Run a program to its end, as the engine would."""
    assert recorder.resources == []
    return recording.run


@pytest.fixture
def context(tmp_path: Path) -> StackContext:
    """Make a folder with a function's code in it."""
    (tmp_path / "handler.py").write_text("def handler(event, context): ...")
    return StackContext(project="overtime", stack="test", root=tmp_path)


@pytest.fixture
def deploy(recorder: Recorder, context: StackContext) -> Deploy:
    """Build a stack with functions of these settings, and give its exports."""
    assert recorder.resources == []

    def deploy(functions: dict[str, dict[str, Any]] | None = None, **more: object) -> dict[str, Any]:
        whole = {
            key: {"code": ".", "handler": "handler.handler", **function}
            for key, function in (functions or {"report": {}}).items()
        }
        return recording.deploy({"functions": whole, **more}, context)

    return deploy
