"""The one CloudWatch dashboard of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from overtime.components import dashboard_body
from overtime.components.dashboard_body import ShownFunction, ShownWatcher
from overtime.components.documents import written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from overtime.components.fargate_fallback import FargateFallback
    from overtime.components.watcher import Watcher


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """Arguments of `Dashboard`."""

    dashboard_name: str
    """Its name in AWS."""
    region: pulumi.Input[str]
    """The region of the metrics."""
    functions: Mapping[str, FargateFallback]
    """The functions that it shows, by key."""
    watcher: Watcher
    """The stack's watcher."""
    alarm_arns: Sequence[pulumi.Input[str]]
    """The alarms that it shows, if any."""


class Dashboard(pulumi.ComponentResource):
    """Shows the outcomes of runs, how long they waited and took, and whether the watcher monitors them."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Dashboard", name, {}, opts)

        queues = {
            each.function.name: pulumi.Output.all(each.failures.name, each.failures.parking_name)
            for each in args.functions.values()
        }
        shown = pulumi.Output.all(
            region=args.region, dead_letters=args.watcher.dead_letters_name, queues=queues, alarms=list(args.alarm_arns)
        )
        dashboard = aws.cloudwatch.Dashboard(
            f"{name}-dashboard",
            dashboard_name=args.dashboard_name,
            dashboard_body=shown.apply(
                lambda known: written(
                    dashboard_body.body(
                        region=known["region"],
                        functions=[
                            ShownFunction(name=function, queue_name=names[0], parking_name=names[1])
                            for function, names in known["queues"].items()
                        ],
                        watcher=ShownWatcher(name=args.watcher.name, dead_letters_name=known["dead_letters"]),
                        alarm_arns=known["alarms"],
                    )
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.name = dashboard.dashboard_name
        self.register_outputs({"name": self.name})
