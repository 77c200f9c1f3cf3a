"""Rules on where things are: AWS refuses most that is in another region or partition than what is to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.contract.partitions import partition_of
from overtime.settings.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from overtime.settings.model import Function, Settings
    from overtime.settings.problems import Path

    Named = tuple[Path, str, str | None]


def problems(settings: Settings, region: str) -> Iterator[Problem]:
    """Give every ARN that cannot be used from a stack in this region."""
    for key, function in settings.functions.items():
        for path, arn, why in _named(function, ("functions", key)):
            yield from _misplaced(path, arn, why, region)
    told = {"action_arns": settings.alarms.action_arns, "ticket_arns": settings.alarms.ticket_arns}
    for name, index, arn in ((name, index, arn) for name, arns in told.items() for index, arn in enumerate(arns)):
        why = "CloudWatch only notifies targets in the alarm's own region, {region}; this one is in {other}."
        yield from _misplaced(("alarms", name, index), arn, why, region)


def _named(function: Function, at: Path) -> Iterator[Named]:
    """List the function's ARNs: where each is, and why it has to be in the stack's region, `None` if it has not."""
    for index, arn in enumerate(function.layers):
        why = "Lambda only takes layers from the function's own region, {region}; this one is in {other}."
        yield (*at, "layers", index), arn, why
    for index, arn in enumerate(function.policy_arns):
        yield (*at, "policy_arns", index), arn, None
    for statement, permission in enumerate(function.permissions):
        for index, arn in enumerate(permission.resources):
            if arn != "*":
                yield (*at, "permissions", statement, "resources", index), arn, None
    told = function.destinations
    for name, target in (("on_success", told.on_success), ("on_failure", told.on_failure)):
        if target:
            why = (
                "The watcher sends from the stack's region, {region}, and cannot reach {other}. Name a target in"
                " {region}; a topic or an event bus there can pass records on."
            )
            yield (*at, "destinations", name), target, why
    for index, arn in enumerate(told.kms_key_arns):
        why = "A queue or topic in {region}, the stack's region, is not encrypted with a key of {other}."
        yield (*at, "destinations", "kms_key_arns", index), arn, why


def _misplaced(path: Path, arn: str, why: str | None, region: str) -> Iterator[Problem]:
    _, partition, service, place, rest = arn.split(":", 4)
    own = partition_of(region).name
    if why is not None and place not in {region, ""}:  # some services are the same for all regions
        rule = why.format(region=region, other=place)
        place = region
    elif partition != own:
        rule = f"The stack is in {region}, where ARNs begin with arn:{own}:, so this one names nothing."
    else:
        return
    fix = None if service == "kms" else f"arn:{own}:{service}:{place}:{rest}"
    yield Problem(path=path, value=arn, rule=rule, fix=fix)
