"""The environment variables of the handler's process, as close to Lambda's as a container allows. Pure.

`docs/context.md` lists each variable's value on Lambda and in the container, and why they differ; a test checks it.
"""

from __future__ import annotations

from overtime.contract import variables
from overtime.contract.runtimes import PROVIDED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.contract.runtimes import Family
    from overtime.runner.function import Function

FROM_TASK = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ENDPOINT_URL",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "ECS_CONTAINER_METADATA_URI_V4",
)
"""Copied from the task's environment if they are set: the role's credentials, and AWS's endpoint."""

OWN = ("AWS_LAMBDA_FUNCTION_CONTEXT", "AWS_LAMBDA_FUNCTION_EVENT", "AWS_LAMBDA_HANDLER_PATH")
"""The runner's own, besides those that begin with OVERTIME_; the handler never sees them."""

RECORDS = 62
"""The runtime's descriptor for its log records: a number that no wrapper script is likely to use."""

_READ_AT_START = ("PYTHON", "LD_", "OPENSSL_", "SSL_", "MALLOC_", "GLIBC_", "LC_")
_READ_AT_START_NAMES = frozenset({"HOME", "LANG", "LANGUAGE", "LOCPATH", "SETUPTOOLS_USE_DISTUTILS", "TZ"})


class Places:
    """The folders in Lambda's variables."""

    def __init__(self, task_root: str, layer_root: str, runtime_dir: str) -> None:
        self.task_root, self.layer_root, self.runtime_dir = task_root, layer_root, runtime_dir


def fixed(family: Family, places: Places) -> dict[str, str]:
    """Return the variables that are the same for every function, with which an interpreter can be started ahead."""
    task, layer, runtime = places.task_root, places.layer_root, places.runtime_dir
    # `provided` has no language, which is below /var/lang elsewhere.
    libraries, programs = ("", "") if family is PROVIDED else ("/var/lang/lib:", "/var/lang/bin:")
    return {
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "LAMBDA_RUNTIME_DIR": runtime,
        "LAMBDA_TASK_ROOT": task,
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": f"{libraries}/lib64:/usr/lib64:{runtime}:{runtime}/lib:{task}:{task}/lib:{layer}/lib",
        "PATH": f"{programs}/usr/local/bin:/usr/bin/:/bin:{layer}/bin",
        "PWD": task,
        "SHLVL": "0",
        "TZ": ":UTC",
    }


def of_function(function: Function, *, region: str, log_stream: str, trace_id: str) -> dict[str, str]:
    """Return the variables that Lambda derives from the function's configuration, which cannot be overridden."""
    variables = {
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_LOG_FORMAT": function.log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_REGION": region,
        "_HANDLER": function.handler,
        "_X_AMZN_TRACE_ID": trace_id,
    }
    if function.runtime and not PROVIDED.includes(function.runtime):
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{function.runtime}"
    if function.log_level:
        variables["AWS_LAMBDA_LOG_LEVEL"] = function.log_level
    return variables


def foundation(environ: Mapping[str, str], family: Family, places: Places, *, by_hand: bool) -> dict[str, str]:
    """Return what is known before the function's configuration, so that an interpreter can be started ahead with it.

    By hand, variables from `docker run -e` are for the handler and take precedence. A task's environment is for the
    runner, and only what the handler needs is copied from it.
    """
    if by_hand:
        given = {
            name: value for name, value in environ.items() if name not in OWN and not name.startswith(variables.PREFIX)
        }
        return {
            **fixed(family, places),
            **given,
            "LAMBDA_TASK_ROOT": places.task_root,
            "LAMBDA_RUNTIME_DIR": places.runtime_dir,
            "PWD": places.task_root,
        }
    return {**{name: environ[name] for name in FROM_TASK if name in environ}, **fixed(family, places)}


def combined(
    base: Mapping[str, str], family: Family, function: Function, derived: Mapping[str, str], *, runtime_api: str
) -> dict[str, str]:
    """Return the whole environment; the function's own variables override all but those that Lambda reserves."""
    runtime = {"AWS_LAMBDA_RUNTIME_API": runtime_api}
    if family is not PROVIDED:
        runtime["_LAMBDA_TELEMETRY_LOG_FD"] = str(RECORDS)
    return {**base, **function.variables, **derived, **runtime}


def needs_fresh_interpreter(environment: Mapping[str, str], started_with: Mapping[str, str]) -> bool:
    """Return whether a variable that is only read at a process's start has changed, or a wrapper must start it."""
    return bool(environment.get("AWS_LAMBDA_EXEC_WRAPPER")) or _read_at_start(environment) != _read_at_start(
        started_with
    )


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_READ_AT_START) or name in _READ_AT_START_NAMES
    }
