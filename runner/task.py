"""What ECS says about the task that this container belongs to (task metadata endpoint, version 4)."""

from __future__ import annotations

import json
import socket

from runner.retrying import Patience, retrying
from runner.transport import Client, TransportError, Url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_OK = 200
_PATIENCE_SECONDS = 20


class Task:
    """The task's ARN, and its memory limit in MiB where it has one."""

    def __init__(self, arn: str, memory_mib: int | None = None) -> None:
        self.arn, self.memory_mib = arn, memory_mib

    @property
    def log_stream(self) -> str:
        """The stream that the awslogs driver writes to, with this program's prefix and container name."""
        return f"overtime/runner/{self.arn.rpartition('/')[2]}"


def this_task(environ: Mapping[str, str]) -> Task:
    """Ask ECS; outside of ECS, or where it does not answer, the container's host name is as unique."""
    address = environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if not address:
        return Task(socket.gethostname())
    client = Client()

    def once() -> Task:
        response = client.send(Url(f"{address}/task"))
        if response.status != _OK:
            raise TransportError(f"{address}/task answered {response.status}")
        document = json.loads(response.body)
        return Task(document["TaskARN"], document.get("Limits", {}).get("Memory"))

    try:
        return retrying(once, lambda error: isinstance(error, TransportError), Patience(_PATIENCE_SECONDS))
    except (TransportError, ValueError, KeyError):
        return Task(socket.gethostname())
    finally:
        client.close()
