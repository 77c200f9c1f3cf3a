"""What can go wrong with a deployment whose settings are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from overtime.automation.events import Diagnostic


class DeploymentError(OvertimeError):
    """The engine did not do what it was asked; what it had done until then is in the stack's state."""

    stack: str
    action: str
    diagnostics: tuple[Diagnostic, ...]
    """The engine's errors, in order."""

    def __init__(self, text: str, *, stack: str, action: str, diagnostics: tuple[Diagnostic, ...] = ()) -> None:
        super().__init__(text)
        self.stack, self.action, self.diagnostics = stack, action, diagnostics


class ConcurrentUpdateError(DeploymentError):
    """Another update of this stack is going on, or one died and left its lock."""


class ProtectedError(DeploymentError):
    """The stack has resources that must not be deleted yet: queues that may hold work, and stored runs."""


class StackNotFoundError(DeploymentError):
    """There is no such stack: it was never deployed, or it was removed."""


class EngineUnusableError(DeploymentError):
    """There is no `pulumi` program where it was looked for, or it is not one that this library works with."""
