"""Runs in the handler's own process where that is started ahead: waits for its environment, then becomes the runtime.

Started as a script by the runner only, with the runtime's script and a descriptor. The handler must find what it finds
where the interpreter is started with the runtime's script itself. So this imports nothing that the runtime client would
not have imported before the function's folders are on the path, and where the image brings code that an interpreter
runs as it starts, it starts again.
"""

# ruff: noqa: PLC0415, PTH118, PTH120, PTH123, PTH208 -- what is imported when is this file's business

import os
import sys

AHEAD = ("json", "logging", "traceback", "decimal", "simplejson")
"""Imported while waiting: awslambdaric imports them first of all, and none reads a variable as it is imported."""
HARMLESS = "distutils-precedence.pth"
"""Reads one variable only, which has the runner start a fresh interpreter."""


def main() -> None:
    """Wait, and become what the runtime's script makes of the process."""
    script, descriptor = sys.argv[1], int(sys.argv[2])
    # The runner's own folder is nothing to import from; the runtime's is, unless the interpreter leaves it out.
    sys.path[:] = [folder for folder in sys.path if folder != os.path.dirname(__file__)]
    if os.path.dirname(script) != os.path.dirname(__file__) and not sys.flags.safe_path:
        sys.path.insert(0, os.path.dirname(script))
    for name in AHEAD:
        try:
            __import__(name)
        except ImportError:  # the runtime itself will say what it lacks
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
    # The interpreter sets this one itself where the locale is C (PEP 538).
    own = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update(own | environment)
    sys.argv, sys.orig_argv[:] = [script], command
    _run(script)


def _has_startup_code() -> bool:
    """Whether the image has code that the interpreter has run already, without the function's variables."""
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
    """Run the script as `__main__`; the runpy module would do so, but is itself an import that Lambda has not made."""
    module = type(sys)("__main__")
    vars(module).update({name: value for name, value in globals().items() if name.startswith("__")})
    vars(module).update(__doc__=None, __file__=script, __loader__=type(__loader__)("__main__", script))  # type: ignore[name-defined]
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec", dont_inherit=True)
    sys.modules["__main__"] = module
    exec(code, vars(module))  # noqa: S102 -- the image's own file


if __name__ == "__main__":
    main()
