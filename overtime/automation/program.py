"""The program that the engine calls in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from overtime.errors import OvertimeError
from overtime.program import build

if TYPE_CHECKING:
    from overtime.settings import Settings, StackContext


class Program:
    """Does the same as `__main__.py` with settings that are already read; stores the exception that stopped it."""

    error: Exception | None = None

    def __init__(self, settings: Settings, context: StackContext) -> None:
        self._settings, self._context = settings, context

    def __call__(self) -> None:
        """Declare the stack's resources and outputs."""
        try:
            # Relative to the engine's working folder (see `workspace`), so that it is the same on every computer.
            outputs = build(self._settings, self._context, sources=".")
        except OvertimeError as error:
            self.error = error
            raise pulumi.RunError(str(error)) from None
        except Exception as error:
            self.error = error
            raise
        for name, value in outputs.items():
            pulumi.export(name, value)
