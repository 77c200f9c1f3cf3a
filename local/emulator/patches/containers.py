"""A task's containers: what the task definition asks for is what the container engine is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.emulator.patches import acting, registry
from local.emulator.patches.patching import Record, module, original, replace
from local.emulator.patches.run_task import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
PULL_ACTIONS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def engine_options(container: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, Any]:
    """Translate what ministack leaves out: container definition in, arguments of docker's `run` out.

    ECS API reference, ContainerDefinition. Memory: the container's limit, else the task's, without swap, as on Fargate.
    `cpu` is not limited: a quarter of a CPU would make every test wait.
    """
    linux = container.get("linuxParameters") or {}
    options: dict[str, Any] = {}
    if container.get("user"):
        options["user"] = container["user"]
    if container.get("readonlyRootFilesystem"):
        options["read_only"] = True
    if linux.get("initProcessEnabled"):
        options["init"] = True
    if drop := (linux.get("capabilities") or {}).get("drop"):
        options["cap_drop"] = drop
    if container.get("entryPoint"):
        options["entrypoint"] = container["entryPoint"]
    if container.get("workingDirectory"):
        options["working_dir"] = container["workingDirectory"]
    if memory := container.get("memory") or definition.get("memory"):
        options["mem_limit"] = options["memswap_limit"] = f"{memory}m"
    return options


def empty_volumes(container: Mapping[str, Any], definition: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """List (path, read only) of the mount points whose volume has no place on a host.

    Fargate gives each an empty volume, filled with what the image holds at that path, its owner included.
    """
    placed = {
        volume["name"]
        for volume in definition.get("volumes", [])
        if (volume.get("host") or {}).get("sourcePath") or volume.get("efsVolumeConfiguration")
    }
    return [
        (point["containerPath"], bool(point.get("readOnly")))
        for point in container.get("mountPoints", [])
        if point.get("sourceVolume") not in placed
    ]


def run_containers_as_defined() -> None:
    """User, read-only root, init process, memory limit, entry point, volumes, ulimits; and the host's network.

    With the host's network 127.0.0.1 is the emulator, as 169.254.170.2 is Fargate's agent: nothing has to listen on an
    address that others could reach. `local.reach` makes that true where the engine's host is a virtual machine.
    The task's metadata tell its size ("Amazon ECS task metadata endpoint version 4 for tasks on Fargate").
    """
    ecs = module("services.ecs")
    inner, register = original(ecs, "_build_run_kwargs"), original(ecs, "_register_metadata")

    def build(  # noqa: PLR0913, PLR0917 - ministack's signature
        container: Record,
        definition: Record,
        env: dict[str, str],
        ports: Record,
        network: str | None,
        host_mode: bool,  # noqa: ARG001, FBT001
        task_id: str,
        task_arn: str,
        address: str | None,
        cluster_arn: str,
    ) -> Record:
        from docker.types import Mount, Ulimit  # type: ignore[import-untyped]  # noqa: PLC0415 - only where an engine is

        options: Record = inner(
            container,
            definition,
            env,
            ports,
            network,
            True,  # noqa: FBT003
            task_id,
            task_arn,
            address,
            cluster_arn,
        )
        options.update(engine_options(container, definition))
        options["name"] = f"overtime-{task_id}-{container['name']}"
        options["ports"] = None
        if volumes := empty_volumes(container, definition):
            options["mounts"] = [
                Mount(target=path, source=None, type="volume", read_only=read_only) for path, read_only in volumes
            ]
        if limits := container.get("ulimits"):
            options["ulimits"] = [
                Ulimit(name=limit["name"], soft=limit["softLimit"], hard=limit["hardLimit"]) for limit in limits
            ]
        return options

    def register_on_host(  # noqa: PLR0913, PLR0917 - ministack's signature
        task_arn: str,
        cluster_arn: str,
        definition: Record,
        container: Record,
        launch_type: str,
        env: dict[str, str],
        host_mode: bool,  # noqa: ARG001, FBT001
        address: str | None,
    ) -> str:
        token: str = register(task_arn, cluster_arn, definition, container, launch_type, env, True, address)  # noqa: FBT003
        sizes = {"CPU": int(definition.get("cpu") or 0) / 1024, "Memory": int(definition.get("memory") or 0)}
        limits = {
            name: size for name, size in sizes.items() if size
        }  # a definition of other than Fargate's may lack them
        module("services.ecs_metadata")._TASKS[task_arn]["Limits"] = limits  # noqa: SLF001
        return token

    replace(ecs, "_build_run_kwargs", build)
    replace(ecs, "_register_metadata", register_on_host)


def pull_with_the_execution_role() -> None:
    """Pull an image with the execution role before the container is made: what fails is a CannotPullContainerError.

    ECS developer guide, "Task execution IAM role" and "CannotPullContainer task errors".
    """
    ecs = module("services.ecs")
    inner = original(ecs, "_run_docker_container")

    def run(client: Any, container: Record, options: Record, **more: object) -> object:  # noqa: ANN401
        from docker.errors import APIError, ImageNotFound  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

        image = container["image"]
        _check_the_execution_role(ecs, image, options["labels"]["com.amazonaws.ecs.task-arn"])
        try:
            client.images.get(image)
        except ImageNotFound:
            try:
                client.images.pull(image)
            except APIError as error:
                raise ecs._ImagePullError(f"failed to resolve ref {image}: {error.explanation}") from error  # noqa: SLF001
        return inner(client, container, options, **more)

    replace(ecs, "_run_docker_container", run)


def tell_why_containers_stopped() -> None:
    """Give a container that ran out of memory that reason, and a task that was stopped by request its own.

    ECS developer guide, "Stopped task error codes": OutOfMemoryError, and "Essential container in task exited".
    """
    ecs = module("services.ecs")
    inner = original(ecs, "_mark_task_stopped")

    def mark(task_arn: str, task: Record, reason: str, code: str, exit_code: int | None = None) -> bool:
        for container, identity in zip(task.get("containers", []), task.get("_docker_ids") or [], strict=False):
            if _ran_out_of_memory(ecs, identity):
                container["reason"] = OUT_OF_MEMORY
        if reason == "Essential container exited":
            reason = "Essential container in task exited"
            reason, code = task.get("_stopped_by") or (reason, code)
        marked: bool = inner(task_arn, task, reason, code, exit_code=exit_code)
        return marked

    replace(ecs, "_mark_task_stopped", mark)


def _ran_out_of_memory(ecs: object, identity: str) -> bool:
    from docker.errors import DockerException  # noqa: PLC0415 - only where an engine is

    try:
        return bool(original(ecs, "_get_docker")().containers.get(identity).attrs["State"]["OOMKilled"])
    except DockerException:
        return False


def _check_the_execution_role(ecs: Any, image: str, task_arn: str) -> None:  # noqa: ANN401
    """Ask IAM as ECR would, for images that ECR holds."""
    host, _, rest = image.partition("/")
    task = ecs._tasks.get(task_arn) or {}  # noqa: SLF001
    definition = ecs._task_defs.get(str(task.get("taskDefinitionArn", "")).rpartition("/")[2]) or {}  # noqa: SLF001
    arn = definition.get("executionRoleArn")
    if host != registry.address() or not arn:
        return
    role = acting.Role(arn=arn, session=task_arn.rpartition("/")[2], service=TASKS)
    repository = module("services.ecr")._repo_arn(rest.partition("@")[0].partition(":")[0])  # noqa: SLF001
    for action, resource in (("ecr:GetAuthorizationToken", "*"), *((each, repository) for each in PULL_ACTIONS)):
        if not acting.may(role, action, resource):
            raise ecs._ImagePullError(acting.refusal(role, action, resource))  # noqa: SLF001


PATCHES = (run_containers_as_defined, pull_with_the_execution_role, tell_why_containers_stopped)
