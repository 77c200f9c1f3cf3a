"""Lambda's execution environments: what a function finds in its environment, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from local.emulator.patches import acting
from local.emulator.patches.patching import Record, module, original, replace
from local.emulator.settings import INTERPRETERS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

_starting = threading.local()
_processes: set[subprocess.Popen[str]] = set()
SIGNALS: Mapping[int, str] = {
    signal.SIGABRT: "aborted",
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGTERM: "terminated",
}
KEPT = ("PATH", "HOME", "TMPDIR")
"""What a process on this computer needs, whatever it does."""


def environment(config: Mapping[str, Any], given: Mapping[str, str], server: Mapping[str, str]) -> dict[str, str]:
    """Say a function's whole environment: its own variables and those that Lambda defines.

    Lambda developer guide, "Defined runtime environment variables". Of the server's environment nothing is left but
    what any process needs; ministack's own (`_LAMBDA_…`) carry its protocol. HOME and TMPDIR are the server's, because
    Lambda's /tmp belongs to one function and this computer's does not.
    """
    own = (config.get("Environment") or {}).get("Variables") or {}
    kept = {
        name: value
        for name, value in given.items()
        if name not in server or name.startswith("AWS_") or name in KEPT or name in own
    }
    name, runtime = str(config.get("FunctionName", "")), str(config.get("Runtime", ""))
    defined = {
        "_HANDLER": str(config.get("Handler", "")),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }
    region = str(config.get("FunctionArn", ":::eu-west-1")).split(":")[3]
    return {**defined, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, **kept}


def give_functions_an_environment_of_their_own() -> None:
    """Let a function see its own variables and Lambda's, never those of the machine that runs it.

    It runs in a process group of its own, so that it can be ended with everything that it started, and on the
    interpreter of its runtime, if the emulator is given one.
    """
    interpreters = json.loads(os.environ.get(INTERPRETERS_VARIABLE, "{}"))
    runtime = module("core.lambda_runtime")
    inner = original(runtime.Worker, "_spawn")

    class Subprocess:
        """The subprocess module as the worker pool sees it: only the start of a process differs."""

        def __getattr__(self, name: str) -> object:
            return getattr(subprocess, name)

        @staticmethod
        def Popen(command: list[str], env: dict[str, str], **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401, N802
            config = getattr(_starting, "config", {})
            found = interpreters.get(config.get("Runtime"), command[0])
            process = subprocess.Popen(
                [found, *command[1:]],
                env=environment(config, env, os.environ),
                start_new_session=True,
                **options,
            )
            _processes.difference_update([ended for ended in _processes if ended.poll() is not None])
            _processes.add(process)
            return process

    def spawn(worker: Any) -> None:  # noqa: ANN401 - ministack is untyped
        _starting.config = worker.config
        try:
            inner(worker)
        finally:
            _starting.config = {}
        worker.overtime_process = worker._proc  # noqa: SLF001

    replace(runtime, "subprocess", Subprocess())
    replace(runtime.Worker, "_spawn", spawn)


def end_functions_for_good() -> None:
    """When time is up Lambda ends the environment with SIGKILL: no handler outlives it, nor what it started."""
    replace(module("core.lambda_runtime"), "_signal", _kill)


def tell_how_a_function_exited() -> None:
    """Report a runtime that exits with its status or signal.

    As in `RequestId: … Error: Runtime exited with error: signal: killed`, error type Runtime.ExitError.
    """
    runtime = module("core.lambda_runtime")
    inner = original(runtime.Worker, "invoke")

    def invoke(worker: Any, event: object, request_id: str, **options: Any) -> Record:  # noqa: ANN401
        result: Record = inner(worker, event, request_id, **options)
        if result.get("error") == "Worker process died":
            process = worker.overtime_process
            try:
                status = process.wait(1)
            except subprocess.TimeoutExpired:
                status = 0
            result["error"] = f"RequestId: {request_id} Error: {exit_text(status)}"
        return result

    replace(runtime.Worker, "invoke", invoke)


def exit_text(status: int) -> str:
    """Word the end of a runtime as Lambda does."""
    if status < 0:
        name = SIGNALS.get(-status, f"signal {-status}")
        return f"Runtime exited with error: signal: {name}"
    return f"Runtime exited with error: exit status {status}" if status else "Runtime exited without providing a reason"


def write_logs_with_the_functions_role() -> None:
    """Lambda writes a function's log with its execution role, and drops the lines when that is not allowed.

    Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs": CreateLogStream and PutLogEvents.
    """
    lambdas = module("services.lambda_svc")
    inner = original(lambdas, "_emit_lambda_logs")

    def emit(function: Record, *args: object, **options: object) -> None:
        config = function.get("config") or function
        role, name = str(config.get("Role", "")), str(config.get("FunctionName", ""))
        if role:
            _, _, _, region, account, *_rest = str(config["FunctionArn"]).split(":")
            group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
            stream = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:$LATEST"
            acts = acting.Role(arn=role, session=name, service="lambda.amazonaws.com")
            # No generator: the record of calls shall name both, also when the first is refused.
            allowed = [acting.may(acts, action, stream) for action in ("logs:CreateLogStream", "logs:PutLogEvents")]
            if not all(allowed):
                return
        inner(function, *args, **options)

    replace(lambdas, "_emit_lambda_logs", emit)


def stop_all() -> None:
    """End every worker that still runs."""
    for process in tuple(_processes):
        _kill(process)


def _kill(process: subprocess.Popen[str] | None) -> None:
    if process is not None and process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


PATCHES = (
    give_functions_an_environment_of_their_own,
    end_functions_for_good,
    tell_how_a_function_exited,
    write_logs_with_the_functions_role,
)
