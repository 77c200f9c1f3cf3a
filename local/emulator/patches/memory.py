"""All that the emulator knows, kept over a restart: what runs meanwhile is found again, as after an outage of AWS."""

from __future__ import annotations

import logging
import os
import pickle
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from local.emulator.patches import credentials, invocations, run_task, task_logs
from local.emulator.patches.patching import Record, module, original, replace
from local.emulator.settings import MEMORY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Store: TypeAlias = "tuple[str, str]"
"""Module and name."""
SERVICES = "ministack.services."
PLAIN: tuple[Store, ...] = (
    ("ministack.services.sts", "_sessions"),
    ("ministack.services.ecs_metadata", "_TASKS"),
    ("ministack.services.ecs_metadata", "_TOKEN_TO_TASK"),
    ("ministack.services.ecs_metadata", "_TOKEN_TO_CONTAINER"),
    ("ministack.services.eventbridge", "_rule_last_fired"),
    ("ministack.services.ec2", "_default_initialized_scopes"),
    (credentials.__name__, "_granted"),
    (run_task.__name__, "_tokens"),
    (invocations.__name__, "pending"),
)
"""What is kept beside the stores by account and region, in which ministack has nearly everything."""
log = logging.getLogger("overtime.memory")


def is_to_be_kept() -> bool:
    """Say whether this process ends only to be started again."""
    return _keep_file().exists()


def keep() -> None:
    """Write down everything; containers go on without us."""
    stores = {store: _content(value) for store, value in _stores()}
    _memory_file().write_bytes(pickle.dumps({"seconds": time.time(), "stores": stores}))


def forgotten() -> bool:
    """Say whether there is nothing to remember."""
    return not _memory_file().exists()


def remember() -> None:
    """Read everything again, and go on with what was under way."""
    # Our own file, in a folder of the user's own.
    kept = pickle.loads(_memory_file().read_bytes())  # noqa: S301
    for (name, attribute), content in kept["stores"].items():
        owner = module(name.removeprefix("ministack.")) if name.startswith(SERVICES) else sys.modules[name]
        store = _content(original(owner, attribute))
        store.clear()
        store.update(content)
    _memory_file().unlink()
    _keep_file().unlink(missing_ok=True)
    _go_on(kept["seconds"])


def leave_containers_alone_over_a_restart() -> None:
    """Containers of tasks run on their hosts, whatever becomes of ECS: they are removed at the end for good only."""
    app = module("app")
    inner = original(app, "_stop_docker_containers")
    resumed = not forgotten()

    def stop(include_unlabelled: bool = False) -> None:  # noqa: FBT001, FBT002 - ministack's signature
        starting = include_unlabelled
        if not (resumed if starting else is_to_be_kept()):
            inner(include_unlabelled)

    replace(app, "_stop_docker_containers", stop)


def _go_on(since: float) -> None:
    lambdas, ecs, responses = module("services.lambda_svc"), module("services.ecs"), module("core.responses")
    if lambdas._esms.has_any():  # noqa: SLF001
        lambdas._ensure_poller()  # noqa: SLF001
    for invocation, attempts in list(invocations.pending.values()):
        invocations.carry_on(invocation, attempts)
    for (account, region, _arn), task in ecs._tasks.all_items():  # noqa: SLF001
        if task["lastStatus"] != "STOPPED":
            with responses.request_scope(account, region):
                _go_on_with_task(task, account, region, since)


def _go_on_with_task(task: Record, account: str, region: str, since: float) -> None:
    ecs = module("services.ecs")
    docker = ecs._get_docker()  # noqa: SLF001
    definition = ecs._task_defs.get(task["taskDefinitionArn"].rpartition("/")[2])  # noqa: SLF001
    if not task.get("_docker_ids"):
        overrides = (task.get("overrides") or {}).get("containerOverrides", [])
        _in_background(ecs._run_task_worker, task, definition, overrides, docker, account, region)  # noqa: SLF001
        return
    task_logs.follow_again(task, definition, docker, since)
    if task["lastStatus"] != "RUNNING":
        ecs._mark_task_running(task["taskArn"], task)  # noqa: SLF001
    if "_stopped_by" in task:
        run_task.stop_containers(task)
    ecs._watch_task_lifecycle(task, docker, account, region)  # noqa: SLF001


def _in_background(call: Callable[..., object], *arguments: object) -> None:
    module("core.concurrency").spawn_background(call, *arguments, thread_name="overtime-resumed")


def _stores() -> Iterator[tuple[Store, Any]]:
    responses = module("core.responses")
    scoped = (responses.AccountScopedDict, responses.AccountRegionScopedDict)
    for name, loaded in sorted(sys.modules.items()):
        if name.startswith(SERVICES):
            for attribute, value in vars(loaded).items():
                # A store that is imported elsewhere is kept where it was made.
                if isinstance(value, scoped) and attribute.startswith("_"):
                    yield (name, attribute), value
    for name, attribute in PLAIN:
        if name in sys.modules:
            yield (name, attribute), getattr(sys.modules[name], attribute)


def _content(store: Any) -> Any:  # noqa: ANN401 - ministack is untyped
    return getattr(store, "_data", store)


def _memory_file() -> Path:
    return Path(os.environ[MEMORY_VARIABLE])


def _keep_file() -> Path:
    return _memory_file().with_suffix(".keep")


PATCHES = (leave_containers_alone_over_a_restart,)
