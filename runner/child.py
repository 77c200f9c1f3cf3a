"""Runs in the handler's own process: becomes Lambda's Python runtime. Started as a script, by the runner only.

The folder of the layers comes in a variable that nobody else sees. Where it is started ahead of time, its argument is a
file descriptor: then it loads what the runtime client needs, and waits there for its environment. What it loads so
early is what Lambda, too, loads before the function's folders are on the path.

Started afresh it has no argument at all: wrapper scripts (AWS_LAMBDA_EXEC_WRAPPER) put the interpreter's options before
the last one, which on Lambda is the runtime's script.
"""

# ruff: noqa: PLC0415, PTH110, PTH118, PTH123 -- what is imported when is this file's business

import importlib
import os
import sys

LAYER_ROOT = "OVERTIME_LAYER_ROOT"
"""The variable that names the folder of the layers; it is gone before any code of the function runs."""
AHEAD = ("json", "logging", "traceback", "decimal", "http", "runpy", "site", "simplejson")
"""Imported while waiting: none of them reads a variable as it is imported. awslambdaric and its client library do."""


def main() -> None:
    """Become the runtime, at once or when told."""
    runtime_dir = os.environ["LAMBDA_RUNTIME_DIR"]
    bootstrap = os.path.join(runtime_dir, "bootstrap.py")
    has_bootstrap = os.path.exists(bootstrap)
    # This file's own folder is nothing for the handler to import from.
    sys.path[0:1] = [runtime_dir] if has_bootstrap else []
    layer_root = os.environ.pop(LAYER_ROOT)
    _be_killed_first()
    if sys.argv[1:]:
        _wait(int(sys.argv.pop()))
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    if has_bootstrap:
        import runpy

        sys.argv = [bootstrap]
        runpy.run_path(bootstrap, run_name="__main__")
    else:
        _run_client(layer_root)


def _be_killed_first() -> None:
    """Where memory runs out, let the kernel end this process and not the runner, which has to say so."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        return  # not Linux as we know it; then the larger process goes, which is this one as well


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
