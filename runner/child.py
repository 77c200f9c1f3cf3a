"""Runs in a handler's process that is started ahead: waits for its environment, then becomes the runtime.

The runner starts it as a script, with the runtime's script and a descriptor as arguments. The handler must see the same
as in an interpreter that was started with the runtime's script. So this file imports only what the runtime client
imports before the function's folders are on the path. If the image has startup code for the interpreter, the process
replaces itself with a new interpreter.
"""

# ruff: noqa: PLC0415, PTH118, PTH120, PTH123, PTH208 -- this file controls what is imported when

import os
import sys

AHEAD = ("json", "logging", "traceback", "decimal", "simplejson")
"""Imported while waiting: awslambdaric imports them first, and none of them reads a variable at import."""
HARMLESS = "distutils-precedence.pth"
"""Reads only one variable, for which the runner starts a fresh interpreter."""


def main() -> None:
    """Wait for the environment, then run the runtime's script in this process."""
    script, descriptor = sys.argv[1], int(sys.argv[2])
    # Replace the runner's folder on the path with the runtime's, unless the interpreter omits that (safe path).
    sys.path[:] = [folder for folder in sys.path if folder != os.path.dirname(__file__)]
    if os.path.dirname(script) != os.path.dirname(__file__) and not sys.flags.safe_path:
        sys.path.insert(0, os.path.dirname(script))
    for name in AHEAD:
        try:
            __import__(name)
        except ImportError:  # the runtime itself will report it
            continue
    import json

    with open(descriptor, "rb") as pipe:
        told = pipe.read()
    if not told:
        os._exit(0)
    environment = json.loads(told)
    os.chdir(environment["LAMBDA_TASK_ROOT"])
    command = [*sys.orig_argv[:-3], script]
    if _has_startup_code():
        os.execve(sys.executable, command, environment)  # noqa: S606 -- itself
    # The interpreter itself sets this variable if the locale is C (PEP 538).
    own = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update(own | environment)
    sys.argv, sys.orig_argv[:] = [script], command
    _run(script)


def _has_startup_code() -> bool:
    """Return whether the interpreter has already run startup code of the image, without the function's variables."""
    import site

    if "sitecustomize" in sys.modules or "usercustomize" in sys.modules:
        return True
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    for folder in filter(os.path.isdir, folders):
        for name in os.listdir(folder):
            if name.endswith(".pth") and name != HARMLESS:
                with open(os.path.join(folder, name), "rb") as file:
                    if any(line.startswith((b"import ", b"import\t")) for line in file):
                        return True
    return False


def _run(script: str) -> None:
    """Run the script as `__main__`, without the runpy module, because it is not imported on Lambda."""
    module = type(sys)("__main__")
    vars(module).update({name: value for name, value in globals().items() if name.startswith("__")})
    vars(module).update(__doc__=None, __file__=script, __loader__=type(__loader__)("__main__", script))  # type: ignore[name-defined]
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec", dont_inherit=True)
    sys.modules["__main__"] = module
    exec(code, vars(module))  # noqa: S102 -- the image's own file


if __name__ == "__main__":
    main()
