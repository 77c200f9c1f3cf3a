"""The runtime's script if the base image has none: does what bootstrap.py does in AWS's image.

It needs the same variables as AWS's script and no others, because a wrapper script may start it with any environment.
Its names are AWS's, too, because Sentry, Honeybadger and others look for the client as `__main__.awslambdaricmain`.
"""

# ruff: noqa: E402, PTH120 -- the order matters; AWS's script does not import pathlib

import os
import site
import sys

sys.path[:] = [folder for folder in sys.path if folder != os.path.dirname(__file__)]  # not the runner's own modules

import awslambdaric.__main__ as awslambdaricmain  # type: ignore[import-untyped]

LAYER_ROOT_OPTION = "overtime-layer-root"
"""The interpreter's -X option for a layer folder other than /opt; only a runner without an image sets it."""


def main() -> None:
    """Add the function's folders to the path, in the documented order, and run the runtime client."""
    environ = os.environ
    folders = [environ["LAMBDA_TASK_ROOT"]]
    if "PYTHONPATH" not in environ:
        layers = sys._xoptions.get(LAYER_ROOT_OPTION, "/opt")  # noqa: SLF001 -- documented under that name
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        folders += [f"{layers}/python/lib/{version}/site-packages", f"{layers}/python"]
        environ["PYTHONPATH"] = environ.get("LAMBDA_RUNTIME_DIR", "/var/runtime")
    sys.path[0:0] = folders
    for folder in folders:
        site.addsitedir(folder)
    awslambdaricmain.main([folders[0], environ["_HANDLER"]])


if __name__ == "__main__":
    main()
