"""A stack of an inline program on the light aws provider and the emulator, for the tests of the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi import automation

from local import provider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.emulator import Emulator
    from local.engine import Engine


def provider_stack(
    name: str, program: Callable[[], None], *, emulator: Emulator, engine: Engine, folder: Path
) -> automation.Stack:
    """Make a stack that is not deployed yet; everything of it is in the folder."""
    plugins = provider.install(folder / "plugins")
    (folder / "state").mkdir()
    return automation.create_stack(
        "test",
        project_name=name,
        program=program,
        opts=automation.LocalWorkspaceOptions(
            pulumi_command=automation.PulumiCommand(str(engine.folder.parent)),
            pulumi_home=str(folder / "home"),
            project_settings=automation.ProjectSettings(
                name=name, runtime="python", backend=automation.ProjectBackend((folder / "state").as_uri())
            ),
            env_vars={
                **emulator.environment,
                "PATH": str(plugins),
                "PULUMI_CONFIG_PASSPHRASE": "test",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            },
        ),
    )
