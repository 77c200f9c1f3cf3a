"""Runs the handler once: prepares its environment, starts its process, returns the outcome."""

# ruff: noqa: PTH110, PTH112 -- pathlib costs 5 ms before the handler can start

from __future__ import annotations

import json
import os
import time

from overtime.runner import command, handler_environment, heap
from overtime.runner.command import InvalidEntrypointError
from overtime.runner.handler_environment import Places
from overtime.runner.log import STDERR, STDOUT, Log
from overtime.runner.outcome import invalid_entrypoint, outcome_of
from overtime.runner.process import Child, out_of_memory_kills
from overtime.runner.report import Report
from overtime.runner.runtime_api import NextInvocation, RuntimeApi
from overtime.runner.supervise import Ending, supervise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from queue import SimpleQueue

    from overtime.runner.config import Config
    from overtime.runner.function import Function
    from overtime.runner.messages import Message
    from overtime.runner.outcome import Outcome


class Invocation:
    """One invocation of the handler. Create it early: its interpreter starts while the code is being fetched."""

    def __init__(self, config: Config, messages: SimpleQueue[Message]) -> None:
        self._config, self._messages = config, messages
        self._places = Places(config.task_root, config.layer_root, config.runtime_dir)
        self._path = config.environ.get("PATH", os.defpath)
        self._base = handler_environment.foundation(
            config.environ, config.family, self._places, by_hand=config.claim is None
        )
        self._last_lines = ""
        # By hand, stdout is for the handler and its result, and a person reads the log, so newlines stay.
        self._log = Log(STDERR, b"\n") if config.claim is None else Log(STDOUT, b"\r")
        self._child: Child | None = None
        if config.starts_ahead:
            self._child = Child.ahead(command.ahead(self._places, self._path), self._base, self._log)

    def close(self) -> None:
        """Write the log's last lines and close it; kill the interpreter that was started ahead if it still waits.

        This comes last, so the outcome is already recorded if the log cannot be written.
        """
        if self._child is not None:
            self._child.discard()
            self._child = None
        self._log.close(self._last_lines)

    def run(  # noqa: PLR0913 -- all that defines an invocation
        self,
        function: Function,
        *,
        request_id: str,
        event: bytes,
        log_stream: str,
        memory_mib: int | None = None,
        context: Mapping[str, object],
    ) -> Outcome:
        """Run the handler and return its outcome; `close` writes the last lines. Raise CodeError if it cannot start."""
        seconds = self._config.max_runtime_seconds
        trace_id = _optional(context, "trace_id") or _unsampled_trace(time.time())
        given = headers(function, request_id, (time.time() + seconds) * 1000, trace_id, context)
        invocation = NextInvocation(request_id, event, given)
        report = Report(request_id, function.version, log_format=function.log_format)
        api = RuntimeApi(invocation, self._messages, lambda: self._log.say(report.start(time.time())))
        derived = handler_environment.of_function(
            function, region=self._config.region, log_stream=log_stream, trace_id=trace_id
        )
        kills = out_of_memory_kills()
        environment = self._environment(function, derived, api.address, memory_mib)
        try:
            child = self._started(environment)
            ending = supervise(child, self._messages, run_seconds=seconds, stop_seconds=self._config.stop_seconds)
            outcome = outcome_of(
                ending, request_id=request_id, run_seconds=seconds, out_of_memory=out_of_memory_kills() > kills
            )
        except InvalidEntrypointError as error:
            ending, outcome = Ending(0), invalid_entrypoint(str(error), request_id)
        finally:
            api.close()
        self._last_lines = ("" if ending.handed_out else report.start(time.time())) + report.end(
            time.time(),
            outcome,
            duration=ending.duration,
            init_duration=ending.init_duration,
            memory_mib=memory_mib or function.memory_mib,
            peak_mib=ending.exit.peak_mib if ending.exit else 0,
        )
        return outcome

    def _environment(
        self, function: Function, derived: Mapping[str, str], runtime_api: str, task_mib: int | None
    ) -> dict[str, str]:
        family = self._config.family
        environment = handler_environment.combined(self._base, family, function, derived, runtime_api=runtime_api)
        wrapped = family.heap is not None and family.heap.on_command_line and os.path.exists(heap.WRAPPER_FILE)
        wrapper = heap.WRAPPER_FILE if wrapped else None
        return heap.with_heap(
            environment, family.heap, function_mib=function.memory_mib, task_mib=task_mib, wrapper=wrapper
        )

    def _started(self, wanted: Mapping[str, str]) -> Child:
        waiting, self._child = self._child, None
        # The dynamic loader never looks again in a library folder that did not exist when the process started.
        brings_libraries = any(
            os.path.isdir(f"{root}/lib") for root in (self._config.task_root, self._config.layer_root)
        )
        if waiting and not brings_libraries and not handler_environment.needs_fresh_interpreter(wanted, self._base):
            waiting.watch(self._messages)
            waiting.release(wanted)
            return waiting
        if waiting:
            waiting.discard()
        family, folder = self._config.family, self._places.task_root
        start = command.fresh(family, self._places, self._path, wanted)
        try:
            child = Child.fresh(start, wanted, folder, self._log)
        except OSError as error:
            raise command.not_started(family, folder, error) from error
        child.watch(self._messages)
        return child


def headers(
    function: Function, request_id: str, deadline_ms: float, trace_id: str, context: Mapping[str, object]
) -> dict[str, str]:
    """Return the headers from which the runtime client builds the handler's context."""
    found = {
        "Lambda-Runtime-Aws-Request-Id": request_id,
        "Lambda-Runtime-Deadline-Ms": str(int(deadline_ms)),
        "Lambda-Runtime-Invoked-Function-Arn": function.arn,
        "Lambda-Runtime-Trace-Id": trace_id,
    }
    optional = {
        "Lambda-Runtime-Aws-Tenant-Id": _optional(context, "tenant_id"),
        "Lambda-Runtime-Client-Context": _optional(context, "client_context"),
        "Lambda-Runtime-Cognito-Identity": _optional(context, "identity"),
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def _unsampled_trace(now: float) -> str:
    """Return a new trace header, because the original is unknown: tracing code works with it, but sends nothing."""
    return f"Root=1-{int(now):08x}-{os.urandom(12).hex()};Parent={os.urandom(8).hex()};Sampled=0"


def _optional(context: Mapping[str, object], name: str) -> str | None:
    value = context.get(name)
    return value if value is None or isinstance(value, str) else json.dumps(value)
