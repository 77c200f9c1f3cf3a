"""The runner's image by hand, as the README says: no ledger, no call to AWS."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from local.paths import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.chain import Chain

pytestmark = pytest.mark.e2e


def commands() -> list[str]:
    """Read the README's console block about running by hand."""
    section = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("You can also run the image by hand")[2]
    block = section.partition("```console\n")[2].partition("```")[0].replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def test_the_readmes_commands_run_the_handler(chain: Chain, tmp_path: Path) -> None:
    build, write, run = commands()
    definition = chain.session.client("ecs").describe_task_definition(
        taskDefinition=chain.output("echo", "task_family")
    )
    image = definition["taskDefinition"]["containerDefinitions"][0]["image"]
    assert re.fullmatch(r"docker build --file runner/Dockerfile --tag overtime-runner \.", build)

    tmp_path.chmod(0o755)  # pytest's is its owner's alone, and the container's user is another
    # The same two commands, with this test's folder, and the image that the stack has built from the same recipe.
    for command in (write, run):
        here = command.replace("/tmp/hello", str(tmp_path)).replace("overtime-runner", shlex.quote(image))
        here = here.replace("docker run", f"docker --host {shlex.quote(chain.here.docker.host)} run --network=none")
        done = subprocess.run(here, shell=True, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '{"hello": {"n": 1}, "id": "by-hand"}'
