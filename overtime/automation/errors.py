"""Errors of a deployment whose settings are valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from overtime.automation.events import Diagnostic


class DeploymentError(OvertimeError):
    """The engine failed; the stack's state contains what it had done until then."""

    stack: str
    action: str
    diagnostics: tuple[Diagnostic, ...]
    """The engine's errors, in order."""

    def __init__(self, text: str, *, stack: str, action: str, diagnostics: tuple[Diagnostic, ...] = ()) -> None:
        super().__init__(text)
        self.stack, self.action, self.diagnostics = stack, action, diagnostics


class ConcurrentUpdateError(DeploymentError):
    """Another update of this stack is running, or has died and left its lock."""


class ProtectedError(DeploymentError):
    """The stack has resources that must not be deleted yet: queues that may contain work, or stored runs."""


class StackNotFoundError(DeploymentError):
    """The stack does not exist: it was never deployed, or it was removed."""


class EngineUnusableError(DeploymentError):
    """The `pulumi` program was not found, or its version is not supported."""
