"""The program of a stack as the engine calls it in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from overtime.errors import OvertimeError
from overtime.program import build

if TYPE_CHECKING:
    from overtime.settings import Settings, StackContext


class Program:
    """Does what `__main__.py` does, with settings that are read already; remembers what stopped it."""

    error: Exception | None = None

    def __init__(self, settings: Settings, context: StackContext) -> None:
        self._settings, self._context = settings, context

    def __call__(self) -> None:
        """Declare the stack's resources and its exports."""
        try:
            # The engine works in the sources' folder (see `workspace`), which is another one on each computer.
            outputs = build(self._settings, self._context, sources=".")
        except OvertimeError as error:
            self.error = error
            raise pulumi.RunError(str(error)) from None
        except Exception as error:
            self.error = error
            raise
        for name, value in outputs.items():
            pulumi.export(name, value)
