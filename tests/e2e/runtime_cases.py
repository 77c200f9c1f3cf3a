"""How a run of each family ends in each case, and what Lambda gives for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from overtime.contract.runs import RunState
from overtime.runner.runtime_api import LARGEST_RESULT

if TYPE_CHECKING:
    from collections.abc import Iterator

FAMILIES = ("python", "nodejs22", "nodejs24", "java17", "go", "rust", "shell")
SECONDS = 60
"""The functions' `max_runtime`: the shortest that there is."""
PRINTED_KIB = 9_765
"""Ten megabytes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One run of a function. In messages, `{id}` stands for the request id."""

    name: str
    function: str
    event: dict[str, object] = field(default_factory=dict)
    state: RunState = RunState.SUCCEEDED
    error_type: str | None = None
    message: str = ""
    result: object = None
    """What the function returns: JSON, or the bytes themselves."""
    on_lambda: str = "the same"
    """What Lambda gives, where that is another type or message."""
    task_mib: int = 0
    """A larger task's memory; the functions have 512 MB on Lambda, and so have their tasks."""
    source: str = ""
    """Where Lambda's behaviour is documented."""

    @property
    def id(self) -> str:
        """The name of the case in reports."""
        return f"{self.function}-{self.name}"

    @property
    def payload(self) -> bytes:
        """The event."""
        return json.dumps(self.event).encode()


GUIDE = "docs.aws.amazon.com/lambda/latest/dg"
EXITED = "RequestId: {id} Error: Runtime exited with error: "
CLIENTS = {
    "python": f"{GUIDE}/python-exceptions.html",
    "nodejs22": f"{GUIDE}/nodejs-exceptions.html",
    "nodejs24": f"{GUIDE}/nodejs-exceptions.html",
    "java17": f"{GUIDE}/java-exceptions.html",
    "go": f"{GUIDE}/golang-exceptions.html",
    "rust": "docs.rs/lambda_runtime, Diagnostic",
    "shell": f"{GUIDE}/runtimes-api.html",
}
"""Where each family's error documents are described."""
FAILED = Case(name="", function="", state=RunState.FAILED, error_type="NoSuchCustomer", message="no such customer")


def cases() -> Iterator[Case]:
    """Return every case of every family."""
    for family in FAMILIES:
        yield from _of_all(family)
        yield from _ends(family)
    yield from _of_one()


def _of_all(family: str) -> Iterator[Case]:
    """Return the cases in which every family does the same."""
    usual = Case(name="", function=family, source=f"{GUIDE}/gettingstarted-limits.html")
    yield replace(
        usual, name="returns", event={"case": "returns", "bytes": LARGEST_RESULT}, result="x" * (LARGEST_RESULT - 2)
    )
    yield replace(
        usual,
        name="returns too much",
        event={"case": "returns", "bytes": LARGEST_RESULT + 1},
        state=RunState.FAILED,
        error_type="Function.ResponseSizeTooLarge",
        message="Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes).",
        on_lambda="the same type; the message lacks the size that it was",
    )
    usual = replace(usual, source=f"{GUIDE}/monitoring-cloudwatchlogs.html")
    yield replace(usual, name="prints", event={"case": "prints", "kib": PRINTED_KIB}, result="printed")
    usual = replace(usual, source=f"{GUIDE}/configuration-envvars.html")
    yield replace(usual, name="reads a variable", event={"case": "greets"}, result=f"hello from {family}")
    usual = replace(usual, source=f"{GUIDE}/packaging-layers.html")
    yield replace(usual, name="layers", event={"case": "layers"}, result={"shared": "upper", "only_lower": "lower"})
    yield replace(usual, name="native library", event={"case": "native"}, result=42)


def _ends(family: str) -> Iterator[Case]:
    """Return the cases in which a run fails."""
    type_of_error = "example.NoSuchCustomer" if family == "java17" else "NoSuchCustomer"
    failed = replace(FAILED, function=family)
    yield replace(failed, name="throws", event={"case": "throws"}, error_type=type_of_error, source=CLIENTS[family])
    failed = replace(failed, error_type="Runtime.ExitError", source=f"{GUIDE}/troubleshooting-invocation.html")
    yield replace(failed, name="exits", event={"case": "exits"}, message=EXITED + "exit status 3")
    yield replace(
        failed,
        name="takes all memory",
        event={"case": "hoards"},
        error_type="Runtime.OutOfMemory",
        message=EXITED + "signal: killed",
        on_lambda="the same, or Runtime.ExitError",
    )
    yield replace(
        failed,
        name="runs too long",
        event={"case": "sleeps"},
        state=RunState.TIMED_OUT,
        error_type="Sandbox.Timedout",
        message=f"RequestId: {{id}} Error: Task timed out after {SECONDS}.00 seconds",
    )
    # A Java virtual machine handles SIGTERM itself and exits with 128 + 15.
    how = "exit status 143" if family == "java17" else "signal: terminated"
    yield replace(
        failed,
        name="is stopped",
        event={"case": "sleeps", "stop": True},
        state=RunState.CANCELLED,
        message=f"{EXITED}{how} (the task was stopped: SIGTERM)",
        on_lambda="nothing stops an invocation",
    )


def _of_one() -> Iterator[Case]:
    """Return the cases that only some families have."""
    for family in ("nodejs22", "nodejs24"):
        yield replace(
            FAILED,
            function=family,
            name="rejects",
            event={"case": "rejects"},
            error_type="Runtime.ExitError",
            message=EXITED + "exit status 1",
            on_lambda="the same with this client; older ones report Runtime.UnhandledPromiseRejection",
            source="github.com/aws/aws-lambda-base-images/issues/392",
        )
    streams = Case(name="streams", function="nodejs22-streams", source=f"{GUIDE}/configuration-response-streaming.html")
    yield replace(streams, result=b"one\ntwo\nthree\n")
    yield replace(
        FAILED,
        function=streams.function,
        name="streams, then throws",
        event={"breaks": True},
        source=streams.source,
    )
    yield replace(
        FAILED,
        function="go",
        name="panics",
        event={"case": "panics"},
        error_type="string",
        message="all is lost",
        source=CLIENTS["go"],
    )
    yield replace(
        FAILED,
        function="rust",
        name="panics",
        event={"case": "panics"},
        error_type="&alloc::boxed::Box<dyn core::any::Any + core::marker::Send>",
        message="Lambda panicked: all is lost",
        source=CLIENTS["rust"],
    )
    java = Case(name="jar in lib/", function="java17", source=f"{GUIDE}/java-package.html")
    yield replace(java, event={"case": "nested"}, result="library")
    yield replace(java, name="jar", function="java17-jar", event={"is": "returned"}, result={"is": "returned"})
    heap = Case(
        name="3,000 MiB of heap",
        function="nodejs22",
        event={"case": "fillsItsHeap", "mib": 3_000},
        task_mib=4_096,
        result=3_000,
        on_lambda="killed, or aborted by V8, at 512 MB",
        source=f"{GUIDE}/configuration-memory.html",
    )
    yield heap
    yield replace(
        heap,
        name="1,200 MiB of heap",
        function="java17",
        event={"case": "fillsItsHeap", "mib": 1_200},
        task_mib=2_048,
        result=1_200,
        on_lambda="java.lang.OutOfMemoryError at 512 MB",
    )


CASES = tuple(cases())
