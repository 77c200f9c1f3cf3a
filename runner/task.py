"""The container's task, from ECS's metadata endpoint (version 4)."""

from __future__ import annotations

import json
import socket

from overtime.runner.errors import UnavailableError
from overtime.runner.retrying import retrying
from overtime.runner.transport import Client, TransportError, Url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.runner.retrying import RetryBudget

_OK = 200


class Task:
    """The task's ARN, and its memory limit in MiB, if it has one."""

    def __init__(self, arn: str, memory_mib: int | None = None) -> None:
        self.arn, self.memory_mib = arn, memory_mib

    @property
    def log_stream(self) -> str:
        """The awslogs driver's stream, named after its prefix, the container and the task."""
        return f"overtime/runner/{self.arn.rpartition('/')[2]}"


def this_task(environ: Mapping[str, str], budget: RetryBudget) -> Task:
    """Return the task that ECS reports, or outside of ECS one named after the container's host. Raise UnavailableError.

    On ECS, a run must not be claimed under a host name: the watcher identifies tasks by ARN, and would not recognize
    this task as the run's.
    """
    address = environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if not address:
        return Task(socket.gethostname())
    client = Client()

    def once() -> Task:
        response = client.send(Url(f"{address}/task"))
        if response.status != _OK:
            raise TransportError(f"{address}/task answered {response.status}")
        try:
            document = json.loads(response.body)
            return Task(document["TaskARN"], document.get("Limits", {}).get("Memory"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TransportError(f"{address}/task did not return a task: {error!r}") from error

    try:
        return retrying(once, lambda error: isinstance(error, TransportError), budget)
    except TransportError as error:
        raise UnavailableError(
            f"ECS did not identify this task within {budget.seconds} s, so its run was not claimed: {error}."
        ) from error
    finally:
        client.close()
