"""Entry point for the Pulumi command line: reads the settings, builds the stack, exports its outputs."""

from __future__ import annotations

from pathlib import Path

import pulumi

if not (Path(__file__).parent / "overtime" / "components").is_dir():
    raise SystemExit(
        "overtime/components, overtime/lambdas and overtime/runner must be links to the folders of these names, and "
        "this checkout has none. Clone with `git clone -c core.symlinks=true`; on Windows, that needs developer mode."
    )

from overtime import configuration
from overtime.errors import OvertimeError
from overtime.program import build
from overtime.settings import StackContext

_ALREADY_REPORTED = 32
"""Exit code after which Pulumi's language host prints nothing more. After a `RunError`, which has another exit code, it
adds "Program exited with non-zero exit code"."""


def main() -> None:
    """Build this stack. Log an error that users can fix without a stack trace, and exit."""
    context = StackContext(
        project=pulumi.get_project(),
        stack=pulumi.get_stack(),
        root=Path.cwd(),
        region=pulumi.Config("aws").get("region"),
    )
    try:
        # Relative to the engine's working folder, this file's, so that colleagues with other clones see no change.
        outputs = build(configuration.load(context), context, sources=".")
    except OvertimeError as error:
        pulumi.log.error(str(error))
        raise SystemExit(_ALREADY_REPORTED) from None
    for name, value in outputs.items():
        pulumi.export(name, value)


if __name__ == "__main__":
    main()
