"""What is deployed of a stack already, asked before anything changes.

The last deployment's outputs come from the engine, what the stack still has to do from its own watcher
(`contract.backlog`). Both go through the engine and the provider, so the provider's credentials, profile and
region apply. An answer that cannot be had stops no deployment: it is told (see `notices`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pulumi
import pulumi_aws as aws

from overtime.contract.backlog import EVENT, FUNCTIONS, TASK_RETIREMENT_DAYS, Work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.settings import StackContext

_READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"
"""The engine's own function behind `pulumi.StackReference`; called by itself it leaves nothing in the state."""


@dataclass(frozen=True, kw_only=True)
class DeployedFunction:
    """A function of the last deployment."""

    name: str
    """Its name in AWS."""
    enabled: bool = True
    """Whether it took new work until now."""
    protected: bool = True
    """Whether Pulumi refuses to delete its queues, or nobody has looked whether it may."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What the last deployment left."""

    functions: Mapping[str, DeployedFunction] = field(default_factory=dict)
    """By key."""
    network: Mapping[str, object] | None = None
    """The network's settings; None where nothing was deployed."""
    work: Mapping[str, Work] = field(default_factory=dict)
    """By the function's name in AWS."""
    task_retirement_days: int | None = None
    """Days that Fargate waits before it stops tasks of a platform revision that it retires, in this account."""
    unasked: str | None = None
    """Why the watcher did not say what work there is; None also where there is no watcher yet."""

    def work_of(self, key: str) -> Work | None:
        """Say what a function still has to do; None where that is not known."""
        return self.work.get(self.functions[key].name) if key in self.functions else None


def deployed(context: StackContext) -> Deployed:
    """Ask what the last deployment left; nothing, for a stack that is new."""
    try:
        outputs = _outputs(context)
    except Exception as error:  # noqa: BLE001 - the SDK has no narrower one for a function that fails
        return Deployed(unasked=f"the last deployment's outputs could not be read ({error})")
    functions = {
        key: DeployedFunction(
            name=str(each["name"]), enabled=each.get("enabled", True), protected=each.get("protected", True)
        )
        for key, each in outputs.get("functions", {}).items()
    }
    network, watcher = outputs.get("network"), outputs.get("watcher")
    if not watcher:
        return Deployed(functions=functions, network=network)
    try:
        told = _told(str(watcher["name"]))
        if told is None:
            unasked = f"the watcher {watcher['name']!r} is of an older version, which this update replaces"
            return Deployed(functions=functions, network=network, unasked=unasked)
        work = {name: Work(**numbers) for name, numbers in told[FUNCTIONS].items()}
    except Exception as error:  # noqa: BLE001 - likewise
        unasked = f"the watcher {watcher['name']!r} could not be asked ({error}); that needs lambda:InvokeFunction"
        return Deployed(functions=functions, network=network, unasked=unasked)
    return Deployed(
        functions=functions, network=network, work=work, task_retirement_days=told.get(TASK_RETIREMENT_DAYS)
    )


def _outputs(context: StackContext) -> dict[str, Any]:
    name = f"{pulumi.get_organization()}/{context.project}/{context.stack}"
    answer = pulumi.runtime.invoke(_READ_OUTPUTS, {"name": name}).value
    return cast("dict[str, Any]", (answer or {}).get("outputs") or {})


def _told(watcher_name: str) -> dict[str, Any] | None:
    answer = aws.lambda_.get_invocation(function_name=watcher_name, input=json.dumps(EVENT))
    return cast("dict[str, Any] | None", json.loads(answer.result))
