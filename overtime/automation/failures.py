"""Turns what the engine says of a failure into an error with a name and a way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi import automation

from overtime.automation.errors import ConcurrentUpdateError, DeploymentError, ProtectedError, StackNotFoundError

if TYPE_CHECKING:
    from overtime.automation.events import Diagnostic
    from overtime.automation.listener import Listener

_PASSPHRASE = "passphrase"  # noqa: S105 - the engine's word for it
_STDERR = "\n stderr: "


def error_of(error: automation.CommandError, listener: Listener, *, stack: str, action: str) -> DeploymentError:
    """Give the error for a command that failed."""
    # The class keeps what the program printed as text only.
    stderr = listener.redactor.redacted(str(error).rpartition(_STDERR)[2])
    diagnostics = _each_once(listener.errors)
    kind, advice = DeploymentError, "Fix what it says and run it again: what was done so far is in the state."
    match error:
        case automation.ConcurrentUpdateError():
            kind = ConcurrentUpdateError
            advice = "Wait until the other update has ended. If none is running, one died: cancel() breaks its lock."
        case automation.StackNotFoundError():
            kind, advice = StackNotFoundError, "up() makes it. Are project, stack and backend the ones you mean?"
        case _ if not diagnostics and _PASSPHRASE in stderr:
            advice = "Give Engine(passphrase=...) the passphrase that this stack's secrets were encrypted with."
    said = [str(each) for each in diagnostics] or [stderr or "it said nothing"]
    lines = "\n".join(f"  {line}" for text in said for line in text.splitlines())
    text = f"{action} of stack {stack!r} failed:\n{lines}\n{advice}"
    return kind(text, stack=stack, action=action, diagnostics=diagnostics)


def refuse_protected(state: automation.Deployment, *, stack: str) -> None:
    """Raise ProtectedError where the stack's state holds protected resources."""
    resources = (state.deployment or {}).get("resources") or []
    names = sorted(str(each["urn"]).rpartition("::")[2] for each in resources if each.get("protect"))
    if names:
        text = (
            f"destroy of stack {stack!r} failed, and nothing was deleted: {', '.join(names)} "
            f"{'is' if len(names) == 1 else 'are'} protected, because messages and stored runs would be lost. Drain "
            "the functions first (`enabled: false`, and up() until it says that they are drained); then set "
            "retention.force_destroy, and up() lifts the protection."
        )
        raise ProtectedError(text, stack=stack, action="destroy")


def _each_once(errors: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Leave out what only repeats an earlier error within other words."""
    return tuple(each for i, each in enumerate(errors) if not any(one.text in each.text for one in errors[:i]))
