"""What the state of a resource says, from what the program gives and what AWS tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.meaning import same
from local.provider.aws.schema import ANY_CHANGE
from local.provider.aws.values import UNKNOWN, Values, as_secret_as

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.provider.aws.schema import ResourceType

REGION = "region"


def of_new(resource: ResourceType, inputs: Values, region: str) -> Values:
    """Say what a preview knows of a resource that is to be made."""
    state: Values = dict.fromkeys(resource.outputs, UNKNOWN)
    for name, declared in resource.properties.items():
        given = inputs.get(name)
        state[name] = given if given is not None else (UNKNOWN if declared.computed else declared.default)
    return state | _region(resource, region)


def of_changed(resource: ResourceType, before: Values, inputs: Values, changed: Iterable[str]) -> Values:
    """Say what a preview knows of a resource that is to be changed."""
    state = dict(before)
    for name, declared in resource.properties.items():
        given = inputs.get(name)
        if given is not None or not declared.computed:
            state[name] = given if given is not None else declared.default
    names = {*changed}
    for name, causes in resource.outputs.items():
        if causes == ANY_CHANGE or not names.isdisjoint(causes):
            state[name] = UNKNOWN
    return state


def of_made(resource: ResourceType, inputs: Values, told: Values, region: str) -> Values:
    """Say what is known of a resource that has just been made or changed: the program's words where AWS agrees."""
    state = {name: told.get(name) for name in resource.outputs}
    for name, declared in resource.properties.items():
        given, found = inputs.get(name), told.get(name)
        if not declared.told or same(declared, given, found):
            kept = given if given is not None else found
            state[name] = kept if kept is not None else declared.default
        else:
            state[name] = as_secret_as(found, given)
    return state | _region(resource, region)


def refreshed(resource: ResourceType, inputs: Values, before: Values, told: Values) -> tuple[Values, Values]:
    """Give inputs and state as AWS has them now; what still means the same stays as it is written."""
    new_inputs, state = dict(inputs), dict(before)
    state |= {name: as_secret_as(told.get(name), before.get(name)) for name in resource.outputs}
    for name, declared in resource.properties.items():
        if not declared.told:
            continue
        given, found = inputs.get(name), told.get(name)
        if not same(declared, before.get(name), found):
            state[name] = as_secret_as(found, before.get(name))
        # A value of AWS's own choice is not the program's, whatever it is now.
        if not same(declared, given, found) and not (given is None and declared.computed):
            new_inputs[name] = as_secret_as(found, given)
    return {name: value for name, value in new_inputs.items() if value is not None}, state


def _region(resource: ResourceType, region: str) -> Values:
    return {REGION: region} if resource.regional and REGION not in resource.properties else {}
