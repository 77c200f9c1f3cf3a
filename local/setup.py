"""`python -m local.setup`: engine, container engine and base image, made ready; seconds when they are."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from local import base_images, containers, engine
from local.telling import reported

if TYPE_CHECKING:
    from overtime.progress import Reporter


def main() -> int:
    """Prepare everything, a phase each, and return the exit status."""
    return reported("setup", _prepare)


def _prepare(report: Reporter) -> int:
    began = time.monotonic()
    with ExitStack() as stack:
        with report.phase("containers") as phase:
            docker = stack.enter_context(containers.container_engine(phase))
            whose = "started for the run" if docker.ours else "running"
            phase.summary = f"engine at {docker.host}, {whose}, storage driver {docker.storage_driver}"
        with report.phase("base image") as phase:
            image = base_images.prepare(docker.host, phase)
            phase.summary = f"{image.reference} ({image.runtime})"
        # Last, because it may be built for minutes, and the others may fail.
        with report.phase("engine") as phase:
            pulumi = engine.prepare(phase)
            phase.summary = f"pulumi {pulumi.version} ({pulumi.binary})"
    report.say(f"ready after {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
