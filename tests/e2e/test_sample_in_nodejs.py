"""The sample in JavaScript, through the whole chain: three timeouts on Lambda, then the end in a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.demo import bucket
from local.demo.invocation import deployed
from local.demo.play import play
from local.demo.settings import changed, changes, dev_settings
from local.emulator import EmulatorSettings
from local.inventory import inventory
from local.stack import machine_on

if TYPE_CHECKING:
    from pathlib import Path

    from local.docker_daemon import ContainerEngine

pytestmark = pytest.mark.e2e

RUNTIME = "nodejs22.x"


def test_a_function_in_nodejs_finishes_in_a_container(docker: ContainerEngine, tmp_path: Path) -> None:
    """With the right result and report; nothing is left after `destroy`. The base image has no Python."""
    settings = EmulatorSettings(state_folder=tmp_path, enforce_iam=True, retry_base_seconds=0.1, record_calls=True)
    with machine_on(docker, settings, print, RUNTIME) as here:
        before = inventory(here.session)
        deployment = here.deployment(changed(dev_settings(), changes(here.base, here.python)), stack="nodejs")
        try:
            played = play(here.session, deployed(deployment.up().outputs, "report"), print, here.runtime)
            bucket.remove(here.session)
        finally:
            deployment.destroy(remove=True)
        print(played.table)  # noqa: T201 - shown with -s
        assert played.checks == dict.fromkeys(played.checks, True)
        assert inventory(here.session) == before
