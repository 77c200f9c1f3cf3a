"""The state of the deployed stack, read before anything changes.

The last deployment's outputs come from the engine, the remaining work from the stack's own watcher
(`contract.backlog`). Both calls go through the engine and the provider, so the provider's credentials, profile and
region apply. If a call fails, the deployment continues, and `notices` reports the failure.
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
"""The engine's function behind `pulumi.StackReference`; a direct call leaves nothing in the state."""


@dataclass(frozen=True, kw_only=True)
class DeployedFunction:
    """A function of the last deployment."""

    name: str
    """Its name in AWS."""
    enabled: bool = True
    """Whether it has handed over failures until now."""
    protected: bool = True
    """Whether Pulumi protects its queues from deletion; also true if the outputs do not say so."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The last deployment and its remaining work."""

    functions: Mapping[str, DeployedFunction] = field(default_factory=dict)
    """By key."""
    network: Mapping[str, object] | None = None
    """The network settings; None if nothing was deployed."""
    work: Mapping[str, Work] = field(default_factory=dict)
    """By the function's name in AWS."""
    task_retirement_days: int | None = None
    """Days that Fargate waits before it stops tasks of a retired platform revision, in this account."""
    unasked: str | None = None
    """Why the remaining work is unknown; None if it is known, or if there is no watcher yet."""

    def work_of(self, key: str) -> Work | None:
        """Return a function's remaining work; None if it is unknown."""
        return self.work.get(self.functions[key].name) if key in self.functions else None


def deployed(context: StackContext) -> Deployed:
    """Return the last deployment and its remaining work; for a new stack, an empty value."""
    try:
        outputs = _outputs(context)
    except Exception as error:  # noqa: BLE001 - the SDK raises no narrower type if a function fails
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
        answer = _backlog(str(watcher["name"]))
        if answer is None:
            unasked = f"the watcher {watcher['name']!r} is an older version, which this update replaces"
            return Deployed(functions=functions, network=network, unasked=unasked)
        work = {name: Work(**numbers) for name, numbers in answer[FUNCTIONS].items()}
    except Exception as error:  # noqa: BLE001 - likewise
        unasked = f"the watcher {watcher['name']!r} could not be queried ({error}); this needs lambda:InvokeFunction"
        return Deployed(functions=functions, network=network, unasked=unasked)
    return Deployed(
        functions=functions, network=network, work=work, task_retirement_days=answer.get(TASK_RETIREMENT_DAYS)
    )


def _outputs(context: StackContext) -> dict[str, Any]:
    name = f"{pulumi.get_organization()}/{context.project}/{context.stack}"
    answer = pulumi.runtime.invoke(_READ_OUTPUTS, {"name": name}).value
    return cast("dict[str, Any]", (answer or {}).get("outputs") or {})


def _backlog(watcher_name: str) -> dict[str, Any] | None:
    answer = aws.lambda_.get_invocation(function_name=watcher_name, input=json.dumps(EVENT))
    return cast("dict[str, Any] | None", json.loads(answer.result))
