"""A stack with a function of each family, and all its runs at once."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overtime.contract.runs import RunState
from tests.e2e import builds
from tests.e2e.builds import HANDLERS
from tests.e2e.chain import Chain, function, stack_of
from tests.e2e.runtime_cases import SECONDS, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from local.demo.invocation import Invocation
    from overtime.contract.runs import RunKey
    from overtime.ledger.run import Run

AT_ONCE = 3
PATIENCE_SECONDS = 900
NODE22, NODE24, JAVA, PROVIDED = "nodejs22.x", "nodejs24.x", "java17", "provided.al2023"
RUNTIMES = (NODE22, NODE24, JAVA, PROVIDED)
"""Those that are needed besides Python's."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of the stack; its key begins with its family."""

    key: str
    runtime: str | None = None
    """None: this computer's Python."""
    handler: str
    code: Callable[[], Path]
    layers: bool = False
    """Whether it uses the layers."""


def python() -> Path:
    """Return the folder of the code in Python."""
    return HANDLERS / "python"


def nodejs() -> Path:
    """Return the folder of the code for Node.js."""
    return HANDLERS / "nodejs"


def nested() -> Path:
    """Return the zip of the code in Java."""
    return builds.java() / "nested.zip"


def plain() -> Path:
    """Return the jar of the code in Java."""
    return builds.java() / "plain.jar"


def shell() -> Path:
    """Return the folder of the runtime in shell."""
    return HANDLERS / "shell"


FUNCTIONS = (
    Function(key="python", handler="cases.handler", code=python, layers=True),
    Function(key="nodejs22", runtime=NODE22, handler="index.handler", code=nodejs, layers=True),
    Function(key="nodejs22-streams", runtime=NODE22, handler="index.streams", code=nodejs),
    Function(key="nodejs24", runtime=NODE24, handler="index.handler", code=nodejs, layers=True),
    Function(key="java17", runtime=JAVA, handler="example.Cases::handleRequest", code=nested, layers=True),
    Function(key="java17-jar", runtime=JAVA, handler="example.Echo", code=plain),
    Function(key="go", runtime=PROVIDED, handler="bootstrap", code=builds.go, layers=True),
    Function(key="rust", runtime=PROVIDED, handler="bootstrap", code=builds.rust, layers=True),
    Function(key="shell", runtime=PROVIDED, handler="bootstrap", code=shell, layers=True),
)


def settings(own: str, base_images: Mapping[str, str], layers: list[str]) -> dict[str, Any]:
    """Say what the stack is made of: every function goes straight to Fargate. What cannot be built is left out.

    Args:
        own: this computer's runtime for Python.
        base_images: base image per runtime.
        layers: ARNs.

    """
    functions = {}
    for each in FUNCTIONS:
        try:
            code = str(each.code())
        except builds.MissingToolError as error:
            print(f"{each.key} is left out: {error}")  # noqa: T201 - with -s
            continue
        functions[each.key] = function(
            each.handler,
            each.runtime or own,
            code=code,
            environment={"GREETING": f"hello from {each.key}"},
            layers=layers if each.layers else [],
            timeout_seconds=SECONDS,
            max_runtime=f"{SECONDS}s",
        )
    stack = stack_of(functions, own, base_images[own])
    stack["image"]["base_images"] = dict(base_images)
    return stack


def is_deployed(chain: Chain, key: str) -> bool:
    """Say whether a function could be built."""
    functions: Any = chain.outputs["functions"]
    return key in functions


def run_all(chain: Chain, cases: Iterable[Case]) -> dict[str, Run]:
    """Run every case to its end, a few at once, and those that need much memory alone; returns the runs by id."""
    cases = [case for case in cases if is_deployed(chain, case.function)]
    # What sleeps for a minute needs no processor: all of that at once, while the others go on.
    sleeping = [case for case in cases if case.event.get("case") == "sleeps"]
    ended = _run(chain, sleeping, [case for case in cases if case not in sleeping and not case.task_mib])
    for case in cases:
        if case.task_mib:
            with _resized(chain, case):
                ended |= _run(chain, [], [case])
    return ended


@contextmanager
def _resized(chain: Chain, case: Case) -> Iterator[None]:
    """Let a function's tasks have the case's memory, by a revision of its task definition."""
    ecs = chain.session.client("ecs")
    definition: Any = ecs.describe_task_definition(taskDefinition=chain.output(case.function, "task_family"))
    known = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "volumes")
    same = {name: definition["taskDefinition"][name] for name in (*known, "requiresCompatibilities")}
    revision = ecs.register_task_definition(**same, cpu=str(case.task_mib // 4), memory=str(case.task_mib))
    try:
        yield
    finally:
        ecs.deregister_task_definition(taskDefinition=revision["taskDefinition"]["taskDefinitionArn"])


def _run(chain: Chain, sleeping: list[Case], others: list[Case]) -> dict[str, Run]:
    invocations = {key: chain.invocation(key) for key in {case.function for case in (*sleeping, *others)}}
    running: dict[Case, RunKey] = {case: _sent(invocations, case) for case in sleeping}
    ended: dict[str, Run] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    stopped: set[Case] = set()
    while running or others:
        while others and sum(case not in sleeping for case in running) < AT_ONCE:
            case = others.pop(0)
            running[case] = _sent(invocations, case)
        for case, key in list(running.items()):
            run = invocations[case.function].ledger.get(key)
            if run is not None and run.finished:
                ended[case.id] = run
                del running[case]
            elif run is not None and run.state == RunState.RUNNING and case.event.get("stop") and case not in stopped:
                stopped.add(case)
                chain.logged(case.function, lambda line: "sleeping" in line, task_arn=run.task_arn or "")
                cluster = str(chain.outputs["cluster_arn"])
                chain.session.client("ecs").stop_task(cluster=cluster, task=run.task_arn or "", reason="enough")
        if time.monotonic() > deadline:
            raise TimeoutError(f"these runs have not ended: {running}")
        time.sleep(0.1)
    return ended


def _sent(invocations: Mapping[str, Invocation], case: Case) -> RunKey:
    return invocations[case.function].send(case.payload)
