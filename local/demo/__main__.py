"""`python -m local.demo`: a function runs out of time on Lambda and finishes on Fargate, on this computer.

Exit status 0 says that the right result came of it, out of the container, and that nothing is left in the emulator.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from local import base_images
from local.demo import bucket
from local.demo.invocation import deployed
from local.demo.play import play
from local.demo.settings import RUNTIMES_OF_SAMPLES, changed, changes, dev_settings
from local.emulator import EmulatorSettings
from local.inventory import inventory
from local.stack import machine
from local.steps import shown
from local.telling import cleaning_up, head, reported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.demo.play import Played
    from local.stack import Machine
    from overtime.automation import Deployment
    from overtime.progress import Reporter

RETRY_SECONDS = 1.0


def main(arguments: Sequence[str] = ()) -> int:
    """Run the demo and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--runtime", choices=RUNTIMES_OF_SAMPLES, default=base_images.DEFAULT)
    return reported("demo", partial(_run, parser.parse_args(arguments).runtime))


def _run(runtime: str, report: Reporter) -> int:
    began = time.monotonic()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="overtime-demo-"))
        settings = EmulatorSettings(
            state_folder=Path(folder), enforce_iam=True, retry_base_seconds=RETRY_SECONDS, record_calls=True
        )
        head(report, "Setup")
        with report.phase("setup") as phase:
            here = stack.enter_context(machine(settings, phase, runtime))
            phase.summary = f"emulator at {here.emulator.endpoint}, IAM enforced"
        right = _demo(here, report)
    report.say(f"{'The result is right' if right else 'SOMETHING IS WRONG'}. {time.monotonic() - began:.0f} s in all.")
    return 0 if right else 1


def _demo(here: Machine, report: Reporter) -> bool:
    before = inventory(here.session)
    different = changes(here.base, here.python)
    report.say("Pulumi.dev.yaml, with these settings changed for this computer:")
    for path, value in different.items():
        report.say(f"    {path} = {json.dumps(value)}")
    report.say(f"    wait before a retry on Lambda = {RETRY_SECONDS:g} s, doubled each time (AWS: 60 s)")

    deployment = here.deployment(changed(dev_settings(), different))
    head(report, "pulumi up")
    with cleaning_up(lambda: _destroy(here, deployment, report), report):
        result = deployment.up(shown(report))
        head(report, "One invocation")
        with report.phase("invocation"):
            played = play(here.session, deployed(result.outputs, "report"), report.say, here.runtime)
    left = {kind: names for kind, names in inventory(here.session).items() if names != before.get(kind)}
    return _tell(report, played, left)


def _destroy(here: Machine, deployment: Deployment, report: Reporter) -> None:
    head(report, "pulumi destroy")
    bucket.remove(here.session)
    deployment.destroy(shown(report), remove=True)


def _tell(report: Reporter, played: Played, left: dict[str, list[str]]) -> bool:
    head(report, "What ran where")
    report.log.write(played.table)
    report.show(f"{played.table}\n")
    checks = {**played.checks, "nothing is left in the emulator": not left}
    for what, held in checks.items():
        report.say(f"{'yes' if held else 'NO '}  {what}")
    for kind, names in left.items():
        report.say(f"     left: {kind}: {', '.join(names)}")
    return all(checks.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
