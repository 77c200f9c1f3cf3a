"""A container's output, on its way to CloudWatch Logs (the `awslogs` driver)."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from local.emulator.patches import acting
from local.emulator.patches.patching import Record, module, replace
from local.emulator.patches.run_task import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EVENT_BYTES = 256 * 1024
"""CloudWatch Logs quotas: the largest event."""
TOLD_SECONDS = 30
"""Long enough for the watch on the task to see that its container ended."""


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Put lines together that arrive in pieces; a last line without end counts too."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        *whole, rest = rest.split(b"\n")
        while len(rest) > EVENT_BYTES:
            whole.append(rest[:EVENT_BYTES])
            rest = rest[EVENT_BYTES:]
        for line in whole:
            yield line.rstrip(b"\r").decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def forward_whole_lines_with_the_execution_role() -> None:
    """Make the stream and send whole lines with the execution role, as `awslogs` does; without it the task fails.

    ECS developer guide, "Send Amazon ECS logs to CloudWatch": logs:CreateLogStream and logs:PutLogEvents.
    """
    ecs = module("services.ecs")

    def start(container: Any, definition: Record, task_id: str) -> None:  # noqa: ANN401 - ministack is untyped
        config = ecs._awslogs_config(definition, task_id, container.id)  # noqa: SLF001
        if not config:
            return
        task_arn = container.labels["com.amazonaws.ecs.task-arn"]
        _check_the_execution_role(ecs, config, task_arn)
        responses = module("core.responses")
        account, region = responses.get_account_id(), config["region"] or responses.get_region()
        with responses.request_scope(account, region):
            if not ecs._ensure_awslogs_stream(config):  # noqa: SLF001
                raise RuntimeError(
                    "failed to validate logger args: ResourceNotFoundException: "
                    f"The specified log group does not exist: {config['group']}"
                )
        module("core.concurrency").spawn_background(
            _forward_and_remove, container, config, account, region, thread_name=f"overtime-logs-{task_id[:8]}"
        )

    replace(ecs, "_start_awslogs_forwarder", start)


def follow_again(task: Record, definition: Record, docker: Any, since: float) -> None:  # noqa: ANN401
    """Forward what a task's containers printed from a time on, and print from now on."""
    from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415 - of use only where an engine is

    ecs = module("services.ecs")
    _, _, _, region, account, *_rest = task["taskArn"].split(":")
    for identity, container in zip(task["_docker_ids"], definition["containerDefinitions"], strict=False):
        config = ecs._awslogs_config(container, task["taskArn"].rpartition("/")[2], identity)  # noqa: SLF001
        if not config:
            continue
        with contextlib.suppress(DockerException):
            module("core.concurrency").spawn_background(
                _forward_and_remove,
                docker.containers.get(identity),
                config,
                account,
                config["region"] or region,
                since,
                thread_name="overtime-logs-resumed",
            )


def _forward_and_remove(
    container: Any,  # noqa: ANN401
    config: Record,
    account: str,
    region: str,
    since: float | None = None,
) -> None:
    """Forward until the container ends; once the task's end is told, nobody needs the container, which may be large."""
    from docker.errors import DockerException  # noqa: PLC0415 - of use only where an engine is

    _forward(container, config, account, region, since)
    task_arn = container.labels["com.amazonaws.ecs.task-arn"]
    deadline = time.monotonic() + TOLD_SECONDS
    with module("core.responses").request_scope(account, task_arn.split(":")[3]):
        tasks = module("services.ecs")._tasks  # noqa: SLF001
        while (tasks.get(task_arn) or {}).get("lastStatus") not in (None, "STOPPED") and time.monotonic() < deadline:
            time.sleep(0.2)
    with contextlib.suppress(DockerException):
        container.remove(v=True)


def _forward(container: Any, config: Record, account: str, region: str, since: float | None) -> None:  # noqa: ANN401
    from docker.errors import DockerException  # noqa: PLC0415 - only where an engine is

    logs = module("services.cloudwatch_logs")
    with module("core.responses").request_scope(account, region):
        try:
            for line in lines(output(container, since)):
                _put(logs, config, line)
        except DockerException as error:
            _put(logs, config, f"overtime: log lost: {error}")


def output(container: Any, since: float | None) -> Iterator[bytes]:  # noqa: ANN401
    """Read what a container prints until it has ended, and then what following it left out.

    The engine ends a stream that it follows once the container has stopped, also where the reader is far behind.
    """
    from docker.errors import NotFound  # noqa: PLC0415 - only where an engine is

    followed = 0
    for chunk in container.logs(stream=True, follow=True, stdout=True, stderr=True, since=since):
        followed += len(chunk)
        yield chunk
    with contextlib.suppress(NotFound):  # who removes a container does not want the rest
        container.wait(timeout=None)
        # The client follows a stream unless it is told not to, and this one would be cut short as well.
        for chunk in container.logs(stream=True, follow=False, stdout=True, stderr=True, since=since):
            yield chunk[followed:]
            followed = max(0, followed - len(chunk))


def _put(logs: Any, config: Record, line: str) -> None:  # noqa: ANN401
    event = {"timestamp": int(time.time() * 1000), "message": line}
    logs._put_log_events(  # noqa: SLF001
        {"logGroupName": config["group"], "logStreamName": config["stream"], "logEvents": [event]}
    )


def _check_the_execution_role(ecs: Any, config: Record, task_arn: str) -> None:  # noqa: ANN401
    task = ecs._tasks.get(task_arn) or {}  # noqa: SLF001
    definition = ecs._task_defs.get(str(task.get("taskDefinitionArn", "")).rpartition("/")[2]) or {}  # noqa: SLF001
    if not definition.get("executionRoleArn"):
        return
    _, _, _, region, account, *_rest = task_arn.split(":")
    role = acting.Role(arn=definition["executionRoleArn"], session=task_arn.rpartition("/")[2], service=TASKS)
    stream = f"arn:aws:logs:{region}:{account}:log-group:{config['group']}:log-stream:{config['stream']}"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        if not acting.may(role, action, stream):
            raise RuntimeError(
                f"failed to validate logger args: AccessDeniedException: {acting.refusal(role, action, stream)}"
            )


PATCHES = (forward_whole_lines_with_the_execution_role,)
