"""Lambda functions that finish, however long they take: read the settings, build the stack, export where things are."""

from __future__ import annotations

from pathlib import Path

import pulumi

from overtime import configuration
from overtime.errors import OvertimeError
from overtime.program import build
from overtime.settings import StackContext

_PEOPLE_WERE_TOLD = 32
"""The exit code after which Pulumi's language host says no more; a `RunError` ends with another, and is followed by
"Program exited with non-zero exit code"."""


def main() -> None:
    """Build this stack. What people can fix is told without a stack trace."""
    context = StackContext(
        project=pulumi.get_project(),
        stack=pulumi.get_stack(),
        root=Path.cwd(),
        region=pulumi.Config("aws").get("region"),
    )
    try:
        # The engine works in the folder of this file: colleagues with other clones store the same, so see no change.
        outputs = build(configuration.load(context), context, sources=".")
    except OvertimeError as error:
        pulumi.log.error(str(error))
        raise SystemExit(_PEOPLE_WERE_TOLD) from None
    for name, value in outputs.items():
        pulumi.export(name, value)


if __name__ == "__main__":
    main()
