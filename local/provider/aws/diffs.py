"""What changes between the inputs that a resource was made of and those that it is to have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from local.provider.aws.checking import DEFAULTS
from local.provider.aws.meaning import meaning, same
from local.provider.aws.schema import Kind, Property, ResourceType
from local.provider.aws.values import UNKNOWN, Values, revealed

if TYPE_CHECKING:
    from collections.abc import Iterator


class How(Enum):
    """What happens to a property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A property that means something else than before."""

    name: str
    path: str
    how: How
    replaces: bool


def differences(resource: ResourceType, old: Values, new: Values) -> list[Difference]:
    """List what changes, by the path that people know from their program."""
    found = []
    for name, declared in resource.properties.items():
        if _differs(declared, old.get(name), new.get(name)):
            replaces = declared.replaces or resource.update is None
            found += [
                Difference(name=name, path=path, how=how, replaces=replaces)
                for path, how in _inside(declared, name, revealed(old.get(name)), revealed(new.get(name)))
            ]
    return found


def deletes_first(resource: ResourceType, old: Values, new: Values) -> bool:
    """Say whether a replacement would need the name that the old resource still has."""
    if not resource.identity or not {*new.get(DEFAULTS, [])}.isdisjoint(resource.identity):
        return False
    return all(same(resource.properties[name], old.get(name), new.get(name)) for name in resource.identity)


def _differs(declared: Property, old: object, new: object) -> bool:
    if declared.computed and new is None:
        return False
    return not same(declared, old, new)


def _inside(declared: Property, path: str, old: object, new: object) -> Iterator[tuple[str, How]]:
    if declared.kind in (Kind.MAP, Kind.BLOCK) and isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            inner = declared.fields.get(name, Property(kind=Kind.TEXT))
            if meaning(inner, old.get(name)) != meaning(inner, new.get(name)):
                yield from _inside(
                    inner,
                    f"{path}.{name}" if name.isidentifier() else f'{path}["{name}"]',
                    old.get(name),
                    new.get(name),
                )
        return
    if new is UNKNOWN:
        yield path, How.UPDATE
    elif old is None:
        yield path, How.ADD
    else:
        yield path, How.DELETE if new is None else How.UPDATE
