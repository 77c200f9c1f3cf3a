"""Finds and configures the Pulumi engine, and creates its temporary workspace."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pulumi import automation
from pulumi.automation import LocalWorkspace, ProjectSettings, PulumiCommand, StackSettings

from overtime.automation.errors import EngineUnusableError
from overtime.components.archives import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from overtime.settings import StackContext

HOW_TO_INSTALL = "https://www.pulumi.com/docs/install/"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How to run Pulumi. Every default is that of the `pulumi` command itself."""

    backend_url: str | None = None
    """Where the state is stored, such as `s3://bucket` or `file:///folder`; by default as `pulumi login` selected."""
    passphrase: str | None = field(default=None, repr=False)
    """Encrypts secrets in the state, for backends that do not do so themselves."""
    secrets_provider: str | None = None
    """Key service that encrypts secrets instead, such as `awskms://alias/state`."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables for the engine and its plugins in addition to this process's own, such as `AWS_PROFILE` or `PATH`."""
    home: Path | None = None
    """Folder for plugins and credentials (`PULUMI_HOME`)."""
    root: Path | None = None
    """Folder that contains `bin/pulumi`; by default the `pulumi` on PATH is used."""

    def variables(self) -> dict[str, str]:
        """Return the environment variables that configure the engine."""
        found = dict(self.environment)
        if self.passphrase is not None:
            found["PULUMI_CONFIG_PASSPHRASE"] = self.passphrase
        if self.backend_url is not None:
            found["PULUMI_BACKEND_URL"] = self.backend_url
        return found

    def command(self, stack: str, action: str) -> PulumiCommand:
        """Return the engine's command. Raise `EngineUnusableError` if there is no usable one."""
        try:
            return PulumiCommand(root=str(self.root) if self.root else None)
        except (OSError, subprocess.SubprocessError, automation.InvalidVersionError) as error:
            where = f"at {str(self.root / 'bin' / 'pulumi')!r}" if self.root else "on PATH"
            text = (
                f"Deployments need the Pulumi engine, but there is no usable `pulumi` {where} ({error}). "
                f"Install it ({HOW_TO_INSTALL}), or set Engine(root=...) to the folder that contains bin/pulumi."
            )
            raise EngineUnusableError(text, stack=stack, action=action) from error


@contextmanager
def workspace(
    context: StackContext, engine: Engine, command: PulumiCommand, program: Callable[[], None]
) -> Iterator[LocalWorkspace]:
    """Yield a temporary workspace with the project's and the stack's settings, and delete it afterwards."""
    project = ProjectSettings(
        name=context.project,
        runtime="python",
        # The engine's working folder, so that it finds the sources of the runner image, whoever deploys.
        main=str(SOURCES),
    )
    stack = StackSettings(
        secrets_provider=engine.secrets_provider, config={"aws:region": context.region} if context.region else None
    )
    with tempfile.TemporaryDirectory(prefix="overtime-") as folder:
        yield LocalWorkspace(
            work_dir=folder,
            pulumi_home=str(engine.home) if engine.home else None,
            program=program,
            env_vars=engine.variables(),
            secrets_provider=engine.secrets_provider,
            project_settings=project,
            stack_settings={context.stack: stack},
            pulumi_command=command,
        )
