"""A stack of many small functions, one a kind of handler, and what tests ask of their runs."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from local.demo.invocation import Deployed, Invocation, deployed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.stack import Machine, Session
    from overtime.automation import Outputs
    from overtime.contract.runs import RunKey
    from overtime.ledger.run import Run

HANDLERS = Path(__file__).parents[1] / "handlers"
PATIENCE_SECONDS = 120
T = TypeVar("T")


class Chain:
    """The deployed functions."""

    def __init__(self, here: Machine, outputs: Outputs) -> None:
        self.here, self.outputs = here, outputs
        self.session: Session = here.session

    def function(self, key: str) -> Deployed:
        """Find a function by its key."""
        return deployed(self.outputs, key)

    def output(self, key: str, name: str) -> str:
        """Read one of a function's outputs."""
        functions: Any = self.outputs["functions"]
        return str(functions[key][name])

    def invocation(self, key: str) -> Invocation:
        """Make an invocation of a function; nothing is sent yet."""
        return Invocation(self.session, self.function(key))

    def run(self, key: str, event: bytes = b"{}") -> Run:
        """Invoke a function asynchronously and wait for the end of what comes of it."""
        invocation = self.invocation(key)
        return self.finished(key, invocation.send(event))

    def finished(self, key: str, run_key: RunKey) -> Run:
        """Wait until a run has ended and its task has stopped."""
        ledger = self.invocation(key).ledger
        run = until(lambda: ledger.get(run_key), lambda run: run is not None and run.finished, f"run {run_key}")
        assert run is not None
        if run.task_arn:
            self.stopped(run.task_arn)
        return run

    def result(self, key: str, run: Run) -> bytes:
        """Read what a run left."""
        return self.invocation(key).ledger.result(run)

    def document(self, key: str, run: Run) -> Any:
        """Read what a run left as JSON."""
        return json.loads(self.result(key, run))

    def stopped(self, task_arn: str) -> Mapping[str, Any]:
        """Wait for a task's end and describe it."""
        ecs, cluster = self.session.client("ecs"), str(self.outputs["cluster_arn"])
        return until(
            lambda: ecs.describe_tasks(cluster=cluster, tasks=[task_arn])["tasks"][0],
            lambda task: task["lastStatus"] == "STOPPED",
            f"the end of {task_arn}",
        )

    def tasks(self, key: str) -> list[str]:
        """List the tasks of a function, running or stopped."""
        ecs, cluster = self.session.client("ecs"), str(self.outputs["cluster_arn"])
        family = self.output(key, "task_family")
        return [
            task
            for status in ("RUNNING", "STOPPED")
            for task in ecs.list_tasks(cluster=cluster, family=family, desiredStatus=status)["taskArns"]
        ]

    def log(self, key: str, task_arn: str) -> list[str]:
        """Read the lines of a task in the function's log group, when the last one is there."""
        return self.logged(key, lambda line: line.startswith("REPORT "), task_arn=task_arn)

    def logged(self, key: str, good: Callable[[str], bool], *, task_arn: str) -> list[str]:
        """Read what a task has written to the function's log group, when one of the lines is good."""
        stream = f"overtime/runner/{task_arn.rpartition('/')[2]}"
        return logged(self.session, self.function(key).log_group, good, stream)


def logged(session: Session, group: str, good: Callable[[str], bool], stream: str = "") -> list[str]:
    """Read a log group, or one stream of it, when one of the lines is good."""
    pages = session.client("logs").get_paginator("filter_log_events")
    streams: Any = {"logStreamNames": [stream]} if stream else {}

    def lines() -> list[str]:
        found = pages.paginate(logGroupName=group, **streams)
        return [event["message"] for page in found for event in page["events"]]

    return until(lines, lambda found: any(map(good, found)), f"a line in {group} {stream}")


def until(look: Callable[[], T], good: Callable[[T], bool], what: str, patience: float = PATIENCE_SECONDS) -> T:
    """Look again and again until it is good; returns what was seen then."""
    deadline = time.monotonic() + patience
    while not good(seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience:g} s for {what}; seen last: {seen!r}")
        time.sleep(0.1)
    return seen


def settings(runtime: str, base_image: str, layers: list[str]) -> dict[str, Any]:
    """Say what the stack is made of: every function goes straight to Fargate."""
    handlers = {
        "echo": "app.handler",
        "slash": "pkg/mod.handler",
        "dots": "pkg.mod.handler",
        "at-import": "at_import.handler",
        "layered": "layered.handler",
        "seen": "seen.handler",
        "returns": "behaviours.returns",
        "prints": "behaviours.prints",
        "nothing": "behaviours.nothing",
        "unserialisable": "behaviours.unserialisable",
        "raises": "behaviours.raises",
        "exits": "behaviours.exits",
        "hungry": "behaviours.hungry",
        "threads": "behaviours.threads",
    }
    functions = {
        key: function(handler, runtime, environment={"GREETING": f"hello from {key}"})
        for key, handler in handlers.items()
    }
    functions["layered"]["layers"] = layers
    return stack_of(functions, runtime, base_image)


def function(handler: str, runtime: str, **more: object) -> dict[str, Any]:
    """Say what a function of the test's handlers is, that goes straight to a small task."""
    task = {"cpu": 256, "memory_mib": 512, "stop_timeout_seconds": 30}
    return {"code": str(HANDLERS), "handler": handler, "runtime": runtime, "attempts": 0, "task": task, **more}


def stack_of(functions: dict[str, dict[str, Any]], runtime: str, base_image: str) -> dict[str, Any]:
    """Say what a stack of these functions is."""
    return {
        "functions": functions,
        "image": {"base_images": {runtime: base_image}, "python_image": base_image},
        "retention": {"force_destroy": True},
    }


def publish_layers(session: Session) -> list[str]:
    """Publish the layers of the `layered` handler, in the order in which the function names them."""
    return publish(session, {folder.name: zipped(folder) for folder in sorted((HANDLERS / "layers").iterdir())})


def publish(session: Session, layers: Mapping[str, bytes]) -> list[str]:
    """Publish layers by name, and return their ARNs."""
    client = session.client("lambda")
    return [
        client.publish_layer_version(LayerName=name, Content={"ZipFile": content})["LayerVersionArn"]
        for name, content in layers.items()
    ]


def zipped(folder: Path) -> bytes:
    """Pack a folder."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(folder))
    return packed.getvalue()
