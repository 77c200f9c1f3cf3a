"""What property values mean, so that two ways to write the same are no change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.provider.aws.schema import Kind, Property
from local.provider.aws.values import UNKNOWN, Archive, Asset, Values, revealed

if TYPE_CHECKING:
    from collections.abc import Mapping


def same(declared: Property, one: object, other: object) -> bool:
    """Say whether two values of a property mean the same."""
    return bool(meaning(declared, one) == meaning(declared, other))


def meaning(declared: Property, value: Any) -> Any:  # noqa: ANN401 - a property's value may be of any type
    """Give what can be compared; what is empty means the same as what is not there."""
    value = coerced(declared, revealed(value))
    if value is UNKNOWN or value is None or value in ("", [], {}):
        return UNKNOWN if value is UNKNOWN else None
    match declared.kind:
        case Kind.JSON:
            value = parsed(value)
        case Kind.LIST if declared.items:
            value = [meaning(declared.items, each) for each in value]
        case Kind.SET if declared.items:
            members = {_sortable(each): each for each in (meaning(declared.items, each) for each in value)}
            value = [members[key] for key in sorted(members)]
        case Kind.BLOCK:
            meanings = {name: meaning(inner, value.get(name)) for name, inner in declared.fields.items()}
            value = {name: each for name, each in meanings.items() if each is not None} or None
        case Kind.CODE | Kind.FILE if isinstance(value, Archive | Asset) and value.hash:
            value = value.hash
    return declared.alike(value) if declared.alike and value is not None else value


def completed(properties: Mapping[str, Property], given: Values) -> Values:
    """Give every property a value of its type: what is given, its default, or None."""
    return {name: coerced(declared, revealed(given.get(name))) for name, declared in properties.items()}


def coerced(declared: Property, value: Any) -> Any:  # noqa: ANN401 - likewise
    """Give a value the Python type of its kind; numbers and flags may be given as texts, and texts as those."""
    value = declared.default if value is None else value
    if value is UNKNOWN or value is None:
        return value
    match declared.kind:
        case Kind.TEXT:
            return _text(value)
        case Kind.INTEGER:
            return int(value)
        case Kind.NUMBER:
            return float(value)
        case Kind.FLAG:
            return value in (True, "true")
        case _:
            return _coerced_inside(declared, value)


def _coerced_inside(declared: Property, value: Any) -> Any:  # noqa: ANN401 - likewise
    match declared.kind:
        case Kind.MAP:
            return {name: _text(each) for name, each in value.items() if each is not None}
        case Kind.LIST | Kind.SET if declared.items:
            return [coerced(declared.items, each) for each in value]
        case Kind.BLOCK:
            return completed(declared.fields, value)
        case _:
            return value


def parsed(text: str) -> object:
    """Read a JSON document; what is none means itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is UNKNOWN else str(value)


def _sortable(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
