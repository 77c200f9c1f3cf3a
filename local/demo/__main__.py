"""`python -m local.demo`: a function runs out of time on Lambda and finishes on Fargate, on this computer.

Exit status 0 says that the right result came of it, out of the container, and that nothing is left in the emulator.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local.demo import bucket
from local.demo.invocation import deployed
from local.demo.play import play
from local.demo.settings import changed, changes, dev_settings
from local.emulator import EmulatorSettings
from local.inventory import inventory
from local.stack import machine
from local.steps import show
from local.telling import head, say
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from local.demo.play import Played
    from local.stack import Machine

RETRY_SECONDS = 1.0


def main() -> int:
    """Run the demo and give the exit status."""
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="overtime-demo-") as folder:
            settings = EmulatorSettings(
                state_folder=Path(folder), enforce_iam=True, retry_base_seconds=RETRY_SECONDS, record_calls=True
            )
            with machine(settings, say) as here:
                right = _demo(here)
    except OvertimeError as error:
        sys.stderr.write(f"overtime: {error}\n")
        return 1
    say(f"{'The result is right' if right else 'SOMETHING IS WRONG'}. {time.monotonic() - began:.0f} s in all.")
    return 0 if right else 1


def _demo(here: Machine) -> bool:
    before = inventory(here.session)
    head("Set-up")
    different = changes(here.base)
    say(f"AWS: emulator at {here.emulator.endpoint}, IAM enforced")
    say("Pulumi.dev.yaml, with these settings changed for this computer:")
    for path, value in different.items():
        say(f"    {path} = {json.dumps(value)}")
    say(f"    wait before a retry on Lambda = {RETRY_SECONDS:g} s, doubled each time (AWS: 60 s)")

    deployment = here.deployment(changed(dev_settings(), different))
    head("pulumi up")
    try:
        result = deployment.up(show)
        head("One invocation")
        played = play(here.session, deployed(result.outputs, "report"), say)
    finally:
        head("pulumi destroy")
        bucket.remove(here.session)
        deployment.destroy(show, remove=True)
    left = {kind: names for kind, names in inventory(here.session).items() if names != before.get(kind)}
    return _tell(played, left)


def _tell(played: Played, left: dict[str, list[str]]) -> bool:
    head("What ran where")
    sys.stdout.write(f"{played.table}\n\n")
    checks = {**played.checks, "nothing is left in the emulator": not left}
    for what, held in checks.items():
        say(f"{'yes' if held else 'NO '}  {what}")
    for kind, names in left.items():
        say(f"     left: {kind}: {', '.join(names)}")
    return all(checks.values())


if __name__ == "__main__":
    sys.exit(main())
