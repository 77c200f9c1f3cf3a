"""`python -m local.setup`: engine, container engine and base image, made ready; seconds when they are."""

from __future__ import annotations

import sys
import time

from local import base_image, containers, engine
from local.errors import LocalError
from local.telling import say


def main() -> int:
    """Prepare everything and say so, a line each."""
    began = time.monotonic()
    try:
        with containers.container_engine(say) as docker:
            whose = "started for the run" if docker.ours else "running"
            say(f"containers: engine at {docker.host}, {whose}, storage driver {docker.storage_driver}")
            image = base_image.prepare(docker.host, say)
            say(f"base image: {image.reference} (Python {image.python})")
            # Last, because it may be built for minutes, and the others may fail.
            pulumi = engine.prepare(say)
            say(f"engine: pulumi {pulumi.version} ({pulumi.binary})")
    except LocalError as error:
        sys.stderr.write(f"overtime: {error}\n")
        return 1
    say(f"ready after {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
