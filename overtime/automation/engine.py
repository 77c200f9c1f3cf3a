"""How the Pulumi engine is found and started, and the temporary workspace that it works in."""

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
    """How to run Pulumi. Every default is what the `pulumi` command itself would take."""

    backend_url: str | None = None
    """Where the state is kept, such as `s3://bucket` or `file:///folder`; by default where `pulumi login` said."""
    passphrase: str | None = field(default=None, repr=False)
    """Encrypts secrets in the state where the backend does not do it itself."""
    secrets_provider: str | None = None
    """Encrypts them with a key service instead, such as `awskms://alias/state`."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables for the engine and its plugins, beside this process's own: `AWS_PROFILE`, `PATH` and so on."""
    home: Path | None = None
    """Folder for plugins and credentials (`PULUMI_HOME`)."""
    root: Path | None = None
    """Folder with `bin/pulumi` in it; by default the `pulumi` on PATH."""

    def variables(self) -> dict[str, str]:
        """Give the variables that say all this to the engine."""
        found = dict(self.environment)
        if self.passphrase is not None:
            found["PULUMI_CONFIG_PASSPHRASE"] = self.passphrase
        if self.backend_url is not None:
            found["PULUMI_BACKEND_URL"] = self.backend_url
        return found

    def command(self, stack: str, action: str) -> PulumiCommand:
        """Find the program. Raises `EngineUnusableError`."""
        try:
            return PulumiCommand(root=str(self.root) if self.root else None)
        except (OSError, subprocess.SubprocessError, automation.InvalidVersionError) as error:
            where = f"at {str(self.root / 'bin' / 'pulumi')!r}" if self.root else "on PATH"
            text = (
                f"No stack can be deployed without Pulumi's engine, and there is no usable `pulumi` {where} ({error}). "
                f"Install it ({HOW_TO_INSTALL}), or give Engine(root=...) the folder with bin/pulumi in it."
            )
            raise EngineUnusableError(text, stack=stack, action=action) from error


@contextmanager
def workspace(
    context: StackContext, engine: Engine, command: PulumiCommand, program: Callable[[], None]
) -> Iterator[LocalWorkspace]:
    """Give the engine a project and a stack to work with, and remove them afterwards."""
    project = ProjectSettings(
        name=context.project,
        runtime="python",
        # The engine's working folder: there it finds what the runner image is built from, whoever deploys.
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
