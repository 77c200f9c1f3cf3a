"""What continues a function's failed invocations on Fargate: its dispatcher and its task definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from overtime.components.dispatcher import Dispatcher, DispatcherArgs
from overtime.components.runner_task import RunnerTask, RunnerTaskArgs

if TYPE_CHECKING:
    from overtime import settings
    from overtime.components.failure_queue import FailureQueue
    from overtime.components.platform import Platform
    from overtime.components.primary import Primary


@dataclass(frozen=True, kw_only=True)
class FargateFallbackArgs:
    """Arguments of `FargateFallback`."""

    function: Primary
    """The function whose failed invocations are continued."""
    failures: FailureQueue
    """The function's failure queue, created before the function because AWS checks it at that time."""
    options: settings.Function
    """The function's settings."""
    platform: Platform
    """What all functions share."""
    retention: settings.Retention
    """How long runs and logs are kept."""


class FargateFallback(pulumi.ComponentResource):
    """Dispatcher and task definition of one function; watcher, alarms and dashboard read its attributes."""

    task_family: str
    dispatcher_name: pulumi.Output[str]

    def __init__(self, name: str, args: FargateFallbackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:FargateFallback", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)

        task = RunnerTask(
            f"{name}-task",
            RunnerTaskArgs(function=args.function, options=args.options, platform=args.platform),
            child,
        )
        dispatcher = Dispatcher(
            f"{name}-dispatcher",
            DispatcherArgs(
                function=args.function,
                options=args.options,
                failures=args.failures,
                task=task,
                platform=args.platform,
                retention=args.retention,
            ),
            child,
        )

        self.function, self.failures, self.options = args.function, args.failures, args.options
        self.task_family, self.dispatcher_name = task.family, dispatcher.name
        self.register_outputs({"task_family": self.task_family, "dispatcher_name": self.dispatcher_name})
