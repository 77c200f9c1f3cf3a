"""ministack's differences from AWS, patched: one function a difference, which names AWS's way in its docstring."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.emulator.patches.patching import module
from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypercorn.typing import ASGIFramework

WRITTEN_FOR = "1.5.33"


@dataclass(frozen=True, kw_only=True)
class Patched:
    """The emulator, ready to serve."""

    application: ASGIFramework
    clean_up: Callable[[], None]
    """Ends Lambda workers that still run, and takes the registry's images out of the engine or keeps all in mind."""


def check_version(installed: str) -> None:
    """Refuse another ministack than the one whose insides the patches know.

    Raises:
        LocalError: it is another one.

    """
    if installed != WRITTEN_FOR:
        raise LocalError(
            f"ministack {installed!r} is installed, but local/emulator/patches was written for {WRITTEN_FOR}: it "
            "replaces functions inside ministack, which may be others now. Run `make setup` for the locked version, or "
            "read ministack's changes, adapt the patches and their tests, and set WRITTEN_FOR."
        )


def apply() -> Patched:
    """Load ministack and patch it.

    Raises:
        LocalError: this is not the ministack that the patches were written for.

    """
    check_version(importlib.metadata.version("ministack"))

    from local.emulator.patches import (  # noqa: PLC0415 - these load ministack
        alarms,
        authorization,
        containers,
        credentials,
        deliveries,
        dispatch,
        ecs_calls,
        interruptions,
        invocations,
        item_access,
        lambda_requests,
        memory,
        metrics,
        queue_access,
        queue_delays,
        recursion,
        registry,
        run_task,
        task_events,
        task_logs,
        versions,
        workers,
    )

    for patch in (
        *dispatch.PATCHES,
        *authorization.PATCHES,
        *item_access.PATCHES,
        *registry.PATCHES,
        *workers.PATCHES,
        *invocations.PATCHES,
        *queue_access.PATCHES,
        *queue_delays.PATCHES,
        *lambda_requests.PATCHES,
        *recursion.PATCHES,
        *versions.PATCHES,
        *credentials.PATCHES,
        *run_task.PATCHES,
        *ecs_calls.PATCHES,
        *containers.PATCHES,
        *task_logs.PATCHES,
        *interruptions.PATCHES,
        *task_events.PATCHES,
        *deliveries.PATCHES,
        *metrics.PATCHES,
        *alarms.PATCHES,
        *memory.PATCHES,
    ):
        patch()
    if not memory.forgotten():
        memory.remember()

    def clean_up() -> None:
        if memory.is_to_be_kept():
            memory.keep()
            workers.stop_all()
        else:
            workers.stop_all()
            registry.forget_images()

    return Patched(application=module("app").app, clean_up=clean_up)
