"""`python -m local up` and `python -m local down`: a stack on this computer that stays, to play with."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from local import base_images, containers, engine, kept
from local.demo import bucket
from local.demo.settings import changed, changes, dev_settings
from local.emulator import Emulator, EmulatorSettings
from local.errors import LocalError
from local.kept import Kept
from local.stack import Machine, with_containers
from local.steps import shown
from local.telling import reported, say
from overtime.errors import OvertimeError
from overtime.progress.text import named

if TYPE_CHECKING:
    from overtime.automation import Outputs
    from overtime.progress import Reporter

USAGE = "usage: python -m local up|down"


def main(arguments: list[str]) -> int:
    """Do what the only argument says and give the exit status."""
    match arguments:
        case ["up"]:
            return reported("up-local", _up)
        case ["down"]:
            return _down()
        case _:
            sys.stderr.write(f"{USAGE}\n")
            return 2


def _down() -> int:
    try:
        say("taken down" if kept.take_down() else "nothing was running")
    except OvertimeError as error:
        sys.stderr.write(f"overtime: {error}\n")
        return 1
    return 0


def _up(report: Reporter) -> int:
    if found := kept.read():
        raise LocalError(f"A local stack runs already, at {found.endpoint}. Take it down first: make down-local")
    with ExitStack() as stack:
        with report.phase("setup") as phase:
            docker = stack.enter_context(containers.container_engine(phase))
            base = base_images.prepare(docker.host, phase)
            pulumi = engine.prepare(phase)
            settings = EmulatorSettings(
                state_folder=kept.folder(),
                enforce_iam=True,
                retry_base_seconds=1,
                record_calls=True,
                outlive_parent=True,
            )
            emulator = Emulator(with_containers(settings, docker, base)).start()
            phase.summary = f"emulator at {emulator.endpoint}, IAM enforced"
        kept.write(Kept(emulator_pid=emulator.pid, endpoint=emulator.endpoint, folder=str(kept.folder())))
        containers.keep()
        try:
            here = Machine(
                folder=kept.folder(), engine=pulumi, docker=docker, python=base, base=base, emulator=emulator
            )
            different = changes(base, base)
            for path, value in different.items():
                report.say(f"Pulumi.dev.yaml, changed for this computer: {path} = {json.dumps(value)}")
            result = here.deployment(changed(dev_settings(), different)).up(shown(report))
            bucket.make(here.session)
        except BaseException:
            kept.take_down()
            raise
    # Shown only: what to export has credentials in it, if only the emulator's.
    report.show(
        named(f"running. Outputs:\n{json.dumps(result.outputs, indent=2)}\n\n{how_to_play(emulator, result.outputs)}\n")
    )
    return 0


def how_to_play(emulator: Emulator, outputs: Outputs) -> str:
    """Say what to type next."""
    exports = "\n".join(f"    export {name}={value}" for name, value in sorted(emulator.environment.items()))
    commands = "\n".join(f"    {command}" for command in play(str(outputs["ledger_table"])))
    return (
        "In a shell with this environment every AWS tool talks to the emulator:\n\n"
        f"{exports}\n\n"
        "For example, a file that takes longer than the function's two seconds:\n\n"
        f"{commands}\n\n"
        "`make down-local` ends it."
    )


def play(ledger_table: str) -> list[str]:
    """Give commands that let the function time out, and that show what becomes of it."""
    payload = {"bucket": bucket.NAME, "key": "sales.csv", "report_key": "report.json", "chunk_bytes": 65_536}
    making = "from local.demo.sales import make; print(make(3_000_000).body.decode())"
    return [
        f".venv/bin/python -c '{making}' | aws s3 cp - s3://{bucket.NAME}/sales.csv",
        "aws lambda invoke --function-name overtime-local-report --invocation-type Event \\",
        f"    --cli-binary-format raw-in-base64-out --payload '{json.dumps(payload)}' /dev/null",
        "aws logs tail /aws/lambda/overtime-local-report --follow      # Ctrl-C ends it",
        f"aws dynamodb scan --table-name {ledger_table}",
        f"aws s3 cp s3://{bucket.NAME}/report.json -",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
