"""RunTask and StopTask: what is checked, what makes a call idempotent, and how a task is stopped."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from typing import TYPE_CHECKING

from local.emulator.patches import acting
from local.emulator.patches.patching import Answer, Record, module, original, replace

if TYPE_CHECKING:
    from collections.abc import Callable

TASKS = "ecs-tasks.amazonaws.com"
OVERRIDES_CHARACTERS = 8192
STOP_SECONDS = 30
"""Between SIGTERM and SIGKILL, when the container definition says nothing."""
_tokens: dict[tuple[str, str], tuple[str, list[str]]] = {}
_lock = threading.Lock()


def refuse_what_ecs_refuses() -> None:
    """Check a RunTask call as ECS does, before anything starts.

    RunTask's errors: ClusterNotFoundException; InvalidParameterException (overrides over 8,192 characters or for an
    unknown container, a capacity provider that the cluster does not have); ClientException (inactive task definition,
    a role that ECS cannot assume); AccessDeniedException (`iam:PassRole` on the task's roles is the caller's to have).
    """

    def checked(data: Record, go_on: Callable[[Record], Answer]) -> Answer:
        ecs = module("services.ecs")
        cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))  # noqa: SLF001
        if cluster not in ecs._clusters:  # noqa: SLF001
            return refusal("ClusterNotFoundException", "Cluster not found.")
        definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", "")))  # noqa: SLF001
        if definition is None:
            return go_on(data)
        if refused := _bad_request(data, definition) or _bad_roles(data, definition):
            return refusal(*refused)
        if data.get("propagateTags") == "TASK_DEFINITION":
            tags = ecs._tags.get(definition["taskDefinitionArn"], [])  # noqa: SLF001
            data = {**data, "tags": [*tags, *data.get("tags", [])]}
        return go_on(data)

    _wrap_run_task(checked)


def answer_a_repeated_token_with_the_same_task() -> None:
    """`clientToken` makes RunTask idempotent per cluster.

    The same token with the same parameters is answered with the task that there is; with others it is a
    ConflictException that names it (ECS API reference, "Ensuring idempotency").
    """

    def once(data: Record, go_on: Callable[[Record], Answer]) -> Answer:
        token = data.get("clientToken")
        if not token:
            return go_on(data)
        ecs = module("services.ecs")
        cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))  # noqa: SLF001
        asked = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
        with _lock:
            known = _tokens.get((cluster, token))
            if known is None:
                answer = go_on(data)
                tasks = json.loads(answer[2]).get("tasks", []) if answer[0] == acting.ALLOWED else []
                if tasks:
                    _tokens[cluster, token] = (asked, [task["taskArn"] for task in tasks])
                return answer
        before, arns = known
        if before != asked:
            message = "A task was started with this client token and other parameters."
            return refusal("ConflictException", message, resourceIds=arns)
        answered: Answer = ecs._describe_tasks({"cluster": cluster, "tasks": arns})  # noqa: SLF001
        return answered

    _wrap_run_task(once)


def stop_tasks_with_a_chance_to_end() -> None:
    """StopTask sends SIGTERM, waits `stopTimeout`, then sends SIGKILL; the task is STOPPED when its containers are.

    Meanwhile its desired status is STOPPED already (ECS developer guide, "Task lifecycle").
    """
    ecs = module("services.ecs")
    at_once = original(ecs, "_stop_task")

    def active(task_arn: str, task: Record) -> bool:
        return (
            ecs._tasks.get(task_arn) is task  # noqa: SLF001
            and not task.get("_ecs_resetting")
            and task.get("lastStatus") != "STOPPED"
        )

    def stop(data: Record) -> Answer:
        cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))  # noqa: SLF001
        task = ecs._resolve_task(data.get("task", ""), cluster)  # noqa: SLF001
        if task is None or not task.get("_docker_ids") or task["lastStatus"] == "STOPPED":
            return at_once(data)  # type: ignore[no-any-return]
        begin_to_stop(task, data.get("reason") or "Task stopped by user", "UserInitiated")
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, _body(ecs, task)

    replace(ecs, "_task_is_active", active)
    replace(ecs, "_stop_task", stop)
    ecs._ACTION_MAP["StopTask"] = stop  # noqa: SLF001


def name_the_group_after_the_family() -> None:
    """Put a task that is given no group into `family:<its task definition's family>` (RunTask, `group`)."""

    def grouped(data: Record, go_on: Callable[[Record], Answer]) -> Answer:
        ecs = module("services.ecs")
        definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition", "")))  # noqa: SLF001
        group = f"family:{definition['family']}" if definition else ""
        return go_on({**data, "group": data.get("group") or group})

    _wrap_run_task(grouped)


def begin_to_stop(task: Record, reason: str, code: str, *, kill: bool = False) -> bool:
    """Decide that a task stops, for this reason, and tell its containers; False when that was decided before."""
    ecs = module("services.ecs")
    with ecs.resource_lock("ecs-task", task["taskArn"]):
        if "_stopped_by" in task or task["lastStatus"] == "STOPPED":
            return False
        task["_stopped_by"] = (reason, code)
        task["stoppedReason"], task["stopCode"] = reason, code
        task["desiredStatus"] = "STOPPED"
        task["stoppingAt"] = ecs._iso()  # noqa: SLF001
        ecs._bump_task_version(task)  # noqa: SLF001
    stop_containers(task, kill=kill)
    return True


def stop_containers(task: Record, *, kill: bool = False) -> None:
    """Send SIGTERM, and after the stop timeout SIGKILL."""
    seconds = _stop_seconds(module("services.ecs"), task)
    for identity, patience in zip(task["_docker_ids"], seconds, strict=False):
        threading.Thread(target=_stop_container, args=(identity, 0 if kill else patience), daemon=True).start()


def refusal(kind: str, message: str, **more: object) -> Answer:
    """Answer with one of ECS's errors."""
    body = json.dumps({"__type": kind, "message": message, **more}).encode()
    return 400, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": kind}, body


def _bad_request(data: Record, definition: Record) -> tuple[str, str] | None:
    ecs = module("services.ecs")
    if definition["status"] != "ACTIVE":
        return "ClientException", "TaskDefinition is inactive"
    overrides = data.get("overrides") or {}
    if len(json.dumps(overrides)) > OVERRIDES_CHARACTERS:
        return "InvalidParameterException", f"Container Overrides length must be at most {OVERRIDES_CHARACTERS}"
    cluster = ecs._clusters[ecs._resolve_cluster_name(data.get("cluster", "default"))]  # noqa: SLF001
    associated = cluster.get("capacityProviders") or []
    if any(each["capacityProvider"] not in associated for each in data.get("capacityProviderStrategy") or []):
        text = (
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
            "the cluster. Associate the capacity provider with the cluster and try again."
        )
        return "InvalidParameterException", text
    known = {container["name"] for container in definition["containerDefinitions"]}
    for override in overrides.get("containerOverrides", []):
        if override.get("name") not in known:
            return (
                "InvalidParameterException",
                f"Override for container named {override.get('name')} is not a container in the TaskDefinition.",
            )
    return None


def _bad_roles(data: Record, definition: Record) -> tuple[str, str] | None:
    overrides = data.get("overrides") or {}
    for name in ("executionRoleArn", "taskRoleArn"):
        role = overrides.get(name) or definition.get(name)
        if not role:
            continue
        if refused := acting.caller_may_pass(role, TASKS):
            return "AccessDeniedException", refused
        if not acting.trusts(role, TASKS):
            text = (
                f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the "
                "role being passed has the proper trust relationship and permissions and that your IAM user has "
                "permissions to pass this role."
            )
            return "ClientException", text
    return None


def _wrap_run_task(wrapper: Callable[[Record, Callable[[Record], Answer]], Answer]) -> None:
    ecs = module("services.ecs")
    inner = original(ecs, "_run_task")

    def run(data: Record) -> Answer:
        return wrapper(data, inner)

    replace(ecs, "_run_task", run)
    ecs._ACTION_MAP["RunTask"] = run  # noqa: SLF001


def _stop_seconds(ecs: object, task: Record) -> list[int]:
    key = task["taskDefinitionArn"].rpartition("/")[2]
    definition = original(ecs, "_task_defs").get(key) or {}
    return [int(each.get("stopTimeout") or STOP_SECONDS) for each in definition.get("containerDefinitions", [])]


def _stop_container(identity: str, seconds: int) -> None:
    """Stop it; the watch on the task sees its end and tells it."""
    client = original(module("services.ecs"), "_get_docker")()
    for _ in range(3):
        try:
            client.containers.get(identity).stop(timeout=seconds)
        except OSError:
            time.sleep(1)
        else:
            return


def _body(ecs: object, task: Record) -> bytes:
    return json.dumps({"task": original(ecs, "_sanitize")(task)}).encode()


PATCHES = (
    refuse_what_ecs_refuses,
    name_the_group_after_the_family,
    answer_a_repeated_token_with_the_same_task,
    stop_tasks_with_a_chance_to_end,
)
