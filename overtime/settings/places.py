"""Rules on regions and partitions: few resources can be used from another region, and none from another partition."""

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
    """Yield a problem for every ARN that cannot be used by a stack in this region."""
    for key, function in settings.functions.items():
        for path, arn, why in _named(function, ("functions", key)):
            yield from _misplaced(path, arn, why, region)
    actions = {"action_arns": settings.alarms.action_arns, "ticket_arns": settings.alarms.ticket_arns}
    for name, index, arn in ((name, index, arn) for name, arns in actions.items() for index, arn in enumerate(arns)):
        why = "CloudWatch only notifies targets in the alarm's own region, {region}; this one is in {other}."
        yield from _misplaced(("alarms", name, index), arn, why, region)


def _named(function: Function, at: Path) -> Iterator[Named]:
    """Yield the function's ARNs: path, ARN, and why it has to be in the stack's region, `None` if it does not."""
    for index, arn in enumerate(function.layers):
        why = "Lambda only accepts layers from the function's own region, {region}; this one is in {other}."
        yield (*at, "layers", index), arn, why
    for index, arn in enumerate(function.policy_arns):
        yield (*at, "policy_arns", index), arn, None
    for statement, permission in enumerate(function.permissions):
        for index, arn in enumerate(permission.resources):
            if arn != "*":
                yield (*at, "permissions", statement, "resources", index), arn, None
    yield from _environment(function, at)
    destinations = function.destinations
    for name, target in (("on_success", destinations.on_success), ("on_failure", destinations.on_failure)):
        if target:
            why = (
                "The watcher sends from the stack's region, {region}, and cannot reach {other}. Name a destination in"
                " {region}; a topic or an event bus there can forward records."
            )
            yield (*at, "destinations", name), target, why
    for index, arn in enumerate(destinations.kms_key_arns):
        why = "A queue or topic in the stack's region, {region}, cannot be encrypted with a key in {other}."
        yield (*at, "destinations", "kms_key_arns", index), arn, why


def _environment(function: Function, at: Path) -> Iterator[Named]:
    for index, mounted in enumerate(function.file_systems):
        why = "Lambda only mounts file systems of the function's own region, {region}; this one is in {other}."
        yield (*at, "file_systems", index, "access_point_arn"), mounted.access_point_arn, why
    if function.kms_key_arn:
        why = "Lambda only uses keys in the function's own region, {region}; this one is in {other}."
        yield (*at, "kms_key_arn"), function.kms_key_arn, why


def _misplaced(path: Path, arn: str, why: str | None, region: str) -> Iterator[Problem]:
    _, partition, service, place, rest = arn.split(":", 4)
    own = partition_of(region).name
    if why is not None and place not in {region, ""}:  # some services are the same for all regions
        rule = why.format(region=region, other=place)
        place = region
    elif partition != own:
        rule = f"The stack is in {region}, where ARNs begin with arn:{own}:, so it cannot use this one."
    else:
        return
    fix = None if service == "kms" else f"arn:{own}:{service}:{place}:{rest}"
    yield Problem(path=path, value=arn, rule=rule, fix=fix)
