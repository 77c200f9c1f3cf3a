"""What ECS says about the task that this container belongs to (task metadata endpoint, version 4)."""

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
    """The task's ARN, and its memory limit in MiB where it has one."""

    def __init__(self, arn: str, memory_mib: int | None = None) -> None:
        self.arn, self.memory_mib = arn, memory_mib

    @property
    def log_stream(self) -> str:
        """The stream that the awslogs driver writes to, with this program's prefix and container name."""
        return f"overtime/runner/{self.arn.rpartition('/')[2]}"


def this_task(environ: Mapping[str, str], budget: RetryBudget) -> Task:
    """Ask ECS; outside of ECS the container's host name is as unique. Raises UnavailableError.

    A run is not claimed under a host name where ECS has a name for the task: the watcher knows tasks by ECS's names
    only, and would take this one for another that it need not look after.
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
            raise TransportError(f"{address}/task names no task: {error!r}") from error

    try:
        return retrying(once, lambda error: isinstance(error, TransportError), budget)
    except TransportError as error:
        raise UnavailableError(
            f"ECS did not say within {budget.seconds} s which task this is, so its run was not claimed: {error}."
        ) from error
    finally:
        client.close()
