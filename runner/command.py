"""The command that becomes the runtime: AWS's start script or the function's bootstrap; for Python, an interpreter."""

# ruff: noqa: PTH110, PTH113, PTH118, PTH120 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import errno
import os

from overtime.contract.runtimes import PROVIDED, PYTHON
from overtime.runner.errors import CodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.contract.runtimes import Family
    from overtime.runner.handler_environment import Places

_OWN_FOLDER = os.path.dirname(os.path.realpath(__file__))
"""With links resolved, as Python does with a script's folder on the path; in a clone, this folder is a link.

The function's interpreter may be another version of Python than the runner's, so the scripts are sources there."""
_PYTHON_SCRIPT = "bootstrap.py"
"""What starts AWS's runtime client for Python, in the folder of the image's runtime."""
_LAYER_ROOT, _LAYER_ROOT_OPTION = "/opt", "overtime-layer-root"
_WRAPPED = """\
[ -f "$1" ] || { echo "$1: does not exist"; exit 127; }
[ -x "$1" ] || { echo "$1: is not an executable"; exit 126; }
exec "$@"
"""
"""Starts a wrapper script as the bootstrap of AWS's image does; bash itself runs scripts without a #! line."""


_CANNOT_BE_EXECUTED = ("EACCES", "ENOENT", "ENOEXEC", "ELIBBAD", "ETXTBSY")
"""Errors of a program's file: its mode, the interpreter in its first line, its format or architecture."""


class InvalidEntrypointError(Exception):
    """Lambda could not start the function's bootstrap, either; the text is Lambda's."""


def ahead(places: Places, path: str) -> list[str]:
    """Return the command of an interpreter that waits for `release`, up to its last argument, the descriptor.

    `path` is the image's PATH. Raise CodeError if the image has no interpreter.
    """
    *python, script = _python(places, path)
    return [*python, os.path.join(_OWN_FOLDER, "child.py"), script]


def fresh(family: Family, places: Places, path: str, environment: Mapping[str, str]) -> list[str]:
    """Return the command for a process that has its final environment. Raise CodeError or InvalidEntrypointError.

    AWS's start scripts run the wrapper in AWS_LAMBDA_EXEC_WRAPPER themselves, and `provided` has none. For Python,
    the command ends with the runtime's script, as on Lambda, because wrappers insert the interpreter's options before
    the last argument.
    """
    if family is not PYTHON:
        return [_bootstrap(family, places)]
    command = _python(places, path)
    wrapper = environment.get("AWS_LAMBDA_EXEC_WRAPPER")
    if not wrapper:
        return command
    shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
    return [shell, "-c", _WRAPPED, shell, wrapper, *command]


def not_started(family: Family, folder: str, error: OSError) -> Exception:
    """Return the error of a command that the system did not execute in this folder.

    The bootstrap of a `provided` runtime is the function's own, so Lambda could not execute it, either.
    """
    if family is PROVIDED and errno.errorcode.get(error.errno or 0) in _CANNOT_BE_EXECUTED:
        return InvalidEntrypointError(f"fork/exec {error.filename}: {str(error.strerror).lower()}")
    return CodeError(
        f"the handler's process could not be started in {folder}: {error}. "
        "Check the function's environment variables and the task's memory."
    )


def _bootstrap(family: Family, places: Places) -> str:
    paths = [
        each.format(runtime=places.runtime_dir, task=places.task_root, layer=places.layer_root)
        for each in family.bootstraps
    ]
    for path in paths:
        if os.path.isfile(path):
            return path
    if family is PROVIDED:
        raise InvalidEntrypointError(f"Couldn't find valid bootstrap(s): [{' '.join(paths)}]")
    raise CodeError(
        f"this image cannot start {family.name} functions, because it has no {' or '.join(paths)}. "
        f"Set `image.base_images` to an AWS Lambda base image for {family.name}, or to an image with the same file."
    )


def _python(places: Places, path: str) -> list[str]:
    """Return the command that becomes the runtime: with the image's own script, or with our equivalent."""
    interpreter = _found("python3", path)
    script = os.path.join(places.runtime_dir, _PYTHON_SCRIPT)
    if os.path.exists(script):
        return [interpreter, script]
    options = [] if places.layer_root == _LAYER_ROOT else ["-X", f"{_LAYER_ROOT_OPTION}={places.layer_root}"]
    return [interpreter, *options, os.path.join(_OWN_FOLDER, "bootstrap.py")]


def _found(program: str, path: str) -> str:
    for folder in path.split(os.pathsep):
        candidate = os.path.join(folder, program)
        if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    raise CodeError(
        f"this image has no {program} in {path}. Set `image.base_images` to an AWS Lambda base image for Python, "
        "or to an image with Python and the package awslambdaric."
    )
