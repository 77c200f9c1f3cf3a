"""Turns an engine failure into an error of a specific class, with advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi import automation

from overtime.automation.errors import ConcurrentUpdateError, DeploymentError, ProtectedError, StackNotFoundError

if TYPE_CHECKING:
    from overtime.automation.events import Diagnostic
    from overtime.automation.listener import Listener

_PASSPHRASE = "passphrase"  # noqa: S105 - a word in the engine's error
_STDERR = "\n stderr: "


def error_of(error: automation.CommandError, listener: Listener, *, stack: str, action: str) -> DeploymentError:
    """Return the error for a command that failed."""
    # The library's error has the command's output only as text.
    stderr = listener.redactor.redacted(str(error).rpartition(_STDERR)[2])
    diagnostics = _each_once(listener.errors)
    kind, advice = DeploymentError, "Fix the cause and run it again; the state contains what was done so far."
    match error:
        case automation.ConcurrentUpdateError():
            kind = ConcurrentUpdateError
            advice = "Wait until the other update has ended. If none is running, one died; cancel() removes its lock."
        case automation.StackNotFoundError():
            kind, advice = StackNotFoundError, "Check project, stack and backend, or create the stack with up()."
        case _ if not diagnostics and _PASSPHRASE in stderr:
            advice = "Set Engine(passphrase=...) to the passphrase with which this stack's secrets were encrypted."
    messages = [str(each) for each in diagnostics] or [stderr or "the engine printed no error"]
    lines = "\n".join(f"  {line}" for text in messages for line in text.splitlines())
    text = f"{action} of stack {stack!r} failed:\n{lines}\n{advice}"
    return kind(text, stack=stack, action=action, diagnostics=diagnostics)


def refuse_protected(state: automation.Deployment, *, stack: str) -> None:
    """Raise `ProtectedError` if the stack's state contains protected resources."""
    resources = (state.deployment or {}).get("resources") or []
    names = sorted(str(each["urn"]).rpartition("::")[2] for each in resources if each.get("protect"))
    if names:
        text = (
            f"destroy of stack {stack!r} failed, and nothing was deleted: {', '.join(names)} "
            f"{'is' if len(names) == 1 else 'are'} protected, because messages and stored runs would be lost. Drain "
            "the functions first (`enabled: false`, then up() until it reports that they are drained). Then set "
            "retention.force_destroy to true, and lift the protection with another up()."
        )
        raise ProtectedError(text, stack=stack, action="destroy")


def _each_once(errors: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the errors except those whose text contains an earlier one's."""
    return tuple(each for i, each in enumerate(errors) if not any(one.text in each.text for one in errors[:i]))
