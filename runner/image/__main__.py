"""Makes the image's files in the build stage that has a Python.

Arguments: the sources, the base image's /etc, and the folder to make.
"""

from __future__ import annotations

import sys
from pathlib import Path

from overtime.runner import trust
from overtime.runner.image import portable_python
from overtime.runner.image.base_files import lay_out, make_uniform


def main(sources: str, base_etc: str, target: str) -> None:
    """Make everything that the last stage copies, as folders below `target`."""
    place = Path(target)
    lay_out(place, Path(base_etc))
    try:
        portable_python.make(Path(sources), place / "runner", trust.STORES)
    except portable_python.UnsuitableError as error:
        sys.exit(
            f"The image PYTHON_IMAGE (setting image.python_image) cannot give the runner its Python: {error} "
            "The runner takes its interpreter from that image along into every base image."
        )
    make_uniform(place)


if __name__ == "__main__":
    main(*sys.argv[1:])
