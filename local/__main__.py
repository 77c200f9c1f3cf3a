"""`python -m local up` and `python -m local down`: a stack on this computer that stays, to play with."""

from __future__ import annotations

import json
import sys

from local import base_image, containers, engine, kept
from local.demo import bucket
from local.demo.settings import changed, changes, dev_settings
from local.emulator import Emulator, EmulatorSettings
from local.errors import LocalError
from local.kept import Kept
from local.stack import Machine, with_containers
from local.telling import say, show
from overtime.errors import OvertimeError

USAGE = "usage: python -m local up|down"


def main(arguments: list[str]) -> int:
    """Do what the only argument says and give the exit status."""
    try:
        match arguments:
            case ["up"]:
                _up()
            case ["down"]:
                say("taken down" if kept.take_down() else "nothing was running")
            case _:
                sys.stderr.write(f"{USAGE}\n")
                return 2
    except OvertimeError as error:
        sys.stderr.write(f"overtime: {error}\n")
        return 1
    return 0


def _up() -> None:
    if found := kept.read():
        raise LocalError(f"A local stack runs already, at {found.endpoint}. Take it down first: make down-local")
    pulumi = engine.prepare(say)
    with containers.container_engine(say) as docker:
        base = base_image.prepare(docker.host, say)
        settings = EmulatorSettings(
            state_folder=kept.folder(), enforce_iam=True, retry_base_seconds=1, record_calls=True, outlive_parent=True
        )
        emulator = Emulator(with_containers(settings, docker)).start()
        kept.write(Kept(emulator_pid=emulator.pid, endpoint=emulator.endpoint, folder=str(kept.folder())))
        containers.keep()
        try:
            here = Machine(folder=kept.folder(), engine=pulumi, docker=docker, base=base, emulator=emulator)
            different = changes(base)
            for path, value in different.items():
                say(f"Pulumi.dev.yaml, changed for this computer: {path} = {json.dumps(value)}")
            result = here.deployment(changed(dev_settings(), different)).up(show)
            bucket.make(here.session)
        except BaseException:
            kept.take_down()
            raise
    say(f"running. Outputs:\n{json.dumps(result.outputs, indent=2)}\n\n{how_to_play(emulator)}")


def how_to_play(emulator: Emulator) -> str:
    """Say what to type next."""
    exports = "\n".join(f"    export {name}={value}" for name, value in sorted(emulator.environment.items()))
    return (
        "In a shell with this environment every AWS tool talks to the emulator:\n\n"
        f"{exports}\n\n"
        "For example, a sales.csv with the columns store, day and amount:\n\n"
        f"    aws s3 cp sales.csv s3://{bucket.NAME}/sales.csv\n"
        "    aws lambda invoke --function-name overtime-local-report --invocation-type Event \\\n"
        "        --cli-binary-format raw-in-base64-out --payload \\\n"
        f"""        '{{"bucket": "{bucket.NAME}", "key": "sales.csv", "report_key": "report.json"}}' /dev/null\n"""
        "    aws logs tail /aws/lambda/overtime-local-report --follow\n\n"
        "`make down-local` ends it."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
