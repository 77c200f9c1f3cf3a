"""Runs in the handler's own process: becomes Lambda's Python runtime. Started as a script, by the runner only.

Its arguments are the folder of the layers and, where it is started ahead of time, a file descriptor: then it loads what
the runtime client needs, and waits there for its environment. What it loads so early is what Lambda, too, loads before
the function's folders are on the path.
"""

# ruff: noqa: PLC0415, PTH110, PTH118 -- what is imported when is this file's business

import importlib
import os
import sys

AHEAD = ("json", "logging", "traceback", "decimal", "http", "runpy", "site", "simplejson")
"""Imported while waiting: none of them reads a variable as it is imported. awslambdaric and its client library do."""


def main() -> None:
    """Become the runtime, at once or when told."""
    runtime_dir = os.environ["LAMBDA_RUNTIME_DIR"]
    bootstrap = os.path.join(runtime_dir, "bootstrap.py")
    has_bootstrap = os.path.exists(bootstrap)
    # This file's own folder is nothing for the handler to import from.
    sys.path[0:1] = [runtime_dir] if has_bootstrap else []
    layer_root, *descriptor = sys.argv[1:]
    if descriptor:
        _wait(int(descriptor[0]))
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    if has_bootstrap:
        import runpy

        sys.argv = [bootstrap]
        runpy.run_path(bootstrap, run_name="__main__")
    else:
        _run_client(layer_root)


def _wait(descriptor: int) -> None:
    for name in AHEAD:
        try:
            importlib.import_module(name)
        except ImportError:  # the runtime itself will say what it lacks
            continue
    import json

    with open(descriptor, "rb") as pipe:
        told = pipe.read()
    if not told:
        os._exit(0)
    os.environ.clear()
    os.environ.update(json.loads(told))


def _run_client(layer_root: str) -> None:
    """Do what the bootstrap.py of AWS's image does: the documented order of folders, then the runtime client."""
    import site

    from awslambdaric.__main__ import main as run  # type: ignore[import-untyped]

    environ = os.environ
    folders = [environ["LAMBDA_TASK_ROOT"]]
    if "PYTHONPATH" not in environ:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        folders += [f"{layer_root}/python/lib/{version}/site-packages", f"{layer_root}/python"]
        environ["PYTHONPATH"] = environ["LAMBDA_RUNTIME_DIR"]
    sys.path[0:0] = folders
    for folder in folders:
        site.addsitedir(folder)
    run([folders[0], environ["_HANDLER"]])


if __name__ == "__main__":
    main()
