"""A stack as a Python object."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi import automation

from overtime.automation import failures
from overtime.automation.engine import Engine, workspace
from overtime.automation.events import Redactor
from overtime.automation.listener import Listener
from overtime.automation.program import Program
from overtime.automation.progress import Operation, Progress, resources
from overtime.errors import OvertimeError
from overtime.settings import Settings, StackContext, parse, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from overtime.automation.events import OnEvent
    from overtime.automation.results import Outputs, Result

_SECRET_NAME = re.compile(r"KEY|PASS|SECRET|TOKEN", re.IGNORECASE)
"""In the names of engine variables whose values are withheld from messages."""


class Deployment:
    """One stack and its settings. The constructor checks the settings; only the methods start the engine.

    The methods raise `DeploymentError` or a subclass, and cannot run concurrently. They print nothing: they call
    `on_event` with each event, or show the events if it is a `Progress`.
    """

    settings: Settings
    context: StackContext

    def __init__(  # noqa: PLR0913 - all but two have defaults
        self,
        settings: Settings | Mapping[str, object],
        *,
        stack: str,
        project: str = "overtime",
        root: Path | None = None,
        region: str | None = None,
        engine: Engine | None = None,
    ) -> None:
        """Check the settings. Raise `SettingsError` if any are invalid.

        `root` is the folder to which `code` paths are relative, by default the current one. `region` is the AWS region,
        by default that of `AWS_REGION` or the AWS profile. `stack` may have the form `organization/stack`.
        """
        self.context = StackContext(
            project=project, stack=stack.rpartition("/")[2], root=(root or Path.cwd()).resolve(), region=region
        )
        if isinstance(settings, Settings):
            verify(settings, self.context)
            self.settings = settings
        else:
            self.settings = parse(settings, self.context)
        self._stack, self._engine = stack, engine or Engine()

    def __repr__(self) -> str:
        return f"Deployment(project={self.context.project!r}, stack={self._stack!r}, region={self.context.region!r})"

    def preview(self, on_event: OnEvent | Progress | None = None) -> Result:
        """Return what `up` would do. Nothing changes except the stack's own entry in the backend."""
        return self._run("preview", on_event, lambda stack, listen: stack.preview(on_event=listen), create=True)

    def up(self, on_event: OnEvent | Progress | None = None) -> Result:
        """Create or update the stack according to the settings, and return what was done and the outputs."""
        outputs: Outputs = {}

        def work(stack: automation.Stack, listen: automation.OnEvent) -> None:
            nonlocal outputs
            stack.up(on_event=listen)
            outputs = _outputs(stack)

        return replace(self._run("up", on_event, work, create=True), outputs=outputs)

    def refresh(self, on_event: OnEvent | Progress | None = None) -> Result:
        """Update Pulumi's state to match the resources in AWS, and return the differences. AWS does not change."""
        return self._run("refresh", on_event, lambda stack, listen: stack.refresh(on_event=listen))

    def destroy(self, on_event: OnEvent | Progress | None = None, *, remove: bool = False) -> Result:
        """Delete every resource; with `remove`, also the stack's history and configuration in the backend.

        Raise `ProtectedError`, with nothing deleted, while queues may contain work or stored runs would be lost.
        """

        def work(stack: automation.Stack, listen: automation.OnEvent) -> None:
            # The engine would refuse, too, but without a preview only after it has deleted other resources.
            failures.refuse_protected(stack.export_stack(), stack=self._stack)
            stack.destroy(on_event=listen, remove=remove)

        return self._run("destroy", on_event, work)

    def outputs(self, *, secrets: bool = False) -> Outputs:
        """Return the stack's outputs. Without `secrets`, `WITHHELD` replaces those that are secret."""
        found: Outputs = {}

        def work(stack: automation.Stack, _listen: automation.OnEvent) -> None:
            nonlocal found
            found = _outputs(stack, secrets=secrets)

        self._run("outputs", None, work)
        return found

    def cancel(self) -> None:
        """Remove the lock of an update that died. An update that is still running is stopped halfway."""
        self._run("cancel", None, lambda stack, _listen: stack.cancel())

    def _run(
        self,
        action: str,
        on_event: OnEvent | Progress | None,
        work: Callable[[automation.Stack, automation.OnEvent], object],
        *,
        create: bool = False,
    ) -> Result:
        with _shown(on_event, action, self._stack) as shown:
            listener = Listener(shown, Redactor(self._secrets()))
            with self._selected(action, listener, create=create) as stack:
                if isinstance(shown, Operation):
                    shown.expect(resources(_state(stack)))
                work(stack, listener.hear)
            return listener.result()

    @contextmanager
    def _selected(self, action: str, listener: Listener, *, create: bool) -> Iterator[automation.Stack]:
        command = self._engine.command(self._stack, action)
        program = Program(self.settings, self.context)
        with workspace(self.context, self._engine, command, program) as work:
            choose = automation.Stack.create_or_select if create else automation.Stack.select
            try:
                yield choose(self._stack, work)
            except automation.CommandError as error:
                if isinstance(program.error, OvertimeError):
                    raise program.error from None
                # Not chained to the engine's error, whose text contains all output, including secrets.
                raise failures.error_of(error, listener, stack=self._stack, action=action) from program.error

    def _secrets(self) -> Iterator[str]:
        for function in self.settings.functions.values():
            yield from (value.get_secret_value() for value in function.environment.values())
        yield from filter(None, [self._engine.passphrase])
        yield from (value for name, value in self._engine.environment.items() if _SECRET_NAME.search(name))


def _shown(
    on_event: OnEvent | Progress | None, action: str, stack: str
) -> AbstractContextManager[OnEvent | Operation | None]:
    return on_event.operation(action, stack) if isinstance(on_event, Progress) else nullcontext(on_event)


def _outputs(stack: automation.Stack, *, secrets: bool = False) -> Outputs:
    # The library's own `outputs` always requests secrets, and does not mark those inside a section.
    return _json(stack, "stack", "output", "--json", *(["--show-secrets"] if secrets else []))


def _state(stack: automation.Stack) -> object:
    # The library's own `export_stack` decrypts all secrets, which nobody needs to count resources.
    return _json(stack, "stack", "export").get("deployment")


def _json(stack: automation.Stack, *command: str) -> dict[str, object]:
    work = stack.workspace
    home = {"PULUMI_HOME": work.pulumi_home} if work.pulumi_home else {}
    answer = work.pulumi_command.run([*command, "--stack", stack.name], work.work_dir, {**home, **work.env_vars})
    found: dict[str, object] = json.loads(answer.stdout)
    return found
