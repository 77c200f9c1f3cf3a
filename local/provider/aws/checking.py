"""What can be said about inputs before AWS sees them, and the names of resources that are given none."""

from __future__ import annotations

import hashlib
import json
import secrets
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from local.provider.aws.schema import Kind, Naming, Property, ResourceType
from local.provider.aws.values import UNKNOWN, Archive, Asset, Secret, Values, holds_secret, revealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEFAULTS = "__defaults"
"""Where Pulumi's providers note which inputs are not the program's but chosen by them."""
_SUFFIX_DIGITS = 7


class Failure(NamedTuple):
    """An input that cannot work."""

    property: str
    reason: str


def failures(resource: ResourceType, inputs: Values) -> list[Failure]:
    """List what is wrong with a resource's inputs."""
    return list(_in_block(resource.token, "", resource.properties, inputs))


def auto_name(naming: Naming, logical: str, seed: bytes) -> str:
    """Name a resource after its place in the program; the same seed gives the same name."""
    digits = hashlib.sha256(seed).hexdigest() if seed else secrets.token_hex(_SUFFIX_DIGITS)
    name = f"{logical}-{digits[:_SUFFIX_DIGITS]}"
    return name.lower() if naming.lower else name


def named(naming: Naming, inputs: Values, before: Values, proposed: str) -> Values:
    """Give the inputs a name if they have none: the one chosen before, else the proposed one."""
    if inputs.get(naming.property) is not None:
        return inputs
    chosen_before = naming.property in (before.get(DEFAULTS) or [])
    name = before.get(naming.property) if chosen_before else None
    return {**inputs, naming.property: name or proposed, DEFAULTS: [naming.property]}


def name_failures(naming: Naming, inputs: Values) -> list[Failure]:
    """List what is wrong with a name that was chosen here."""
    name = revealed(inputs.get(naming.property))
    if naming.property not in inputs.get(DEFAULTS, []) or not isinstance(name, str) or len(name) <= naming.longest:
        return []
    return [
        Failure(
            naming.property,
            f"The name {name!r}, made from the resource's name in the program, has {len(name)} characters, and AWS "
            f"takes {naming.longest}. Shorten the resource's name, or give it a {naming.property!r} of its own.",
        )
    ]


def _in_block(token: str, prefix: str, properties: Mapping[str, Property], given: Values) -> Iterator[Failure]:
    for name, value in given.items():
        path = f"{prefix}{name}"
        if name not in properties:
            known = ", ".join(sorted(properties))
            yield Failure(
                path,
                f"The local provider cannot pass {path!r} of {token} to AWS; it knows {known}. Leave it out, or use "
                "the genuine aws plugin.",
            )
        else:
            yield from _in_value(token, path, properties[name], value)
    for name, declared in properties.items():
        if declared.required and revealed(given.get(name)) is None:
            yield Failure(f"{prefix}{name}", f"{token} needs a value for '{prefix}{name}'. Give it one.")


def _in_value(token: str, path: str, declared: Property, given: object) -> Iterator[Failure]:
    value = revealed(given)
    if value is None or value is UNKNOWN:
        return
    wrong = _wrong_kind(declared, value)
    if wrong:
        yield Failure(path, f"'{path}' of {token} is {_shown(given)}, and must be {wrong}.")
        return
    if declared.choices and value not in declared.choices:
        reason = f"the local provider takes {', '.join(declared.choices)}. Use the genuine aws plugin."
        yield Failure(path, f"'{path}' of {token} is {_shown(given)}; {reason}")
    inside = _inside(given)
    if isinstance(inside, dict) and declared.kind is Kind.BLOCK:
        yield from _in_block(token, f"{path}.", declared.fields, inside)
    if isinstance(inside, list) and declared.items:
        for index, each in enumerate(inside):
            yield from _in_value(token, f"{path}[{index}]", declared.items, each)


def _inside(given: object) -> object:
    """Give a block or a list, whose parts are secret when it is."""
    if not isinstance(given, Secret):
        return given
    match revealed(given):
        case dict() as fields:
            return {name: Secret(each) for name, each in fields.items()}
        case list() as items:
            return [Secret(each) for each in items]
        case value:
            return value


def _shown(given: object) -> str:
    if holds_secret(given):
        return "a secret value"
    return "an archive" if isinstance(given, Archive) else "a file" if isinstance(given, Asset) else repr(given)


def _wrong_kind(declared: Property, value: object) -> str:
    right, words = _KINDS[declared.kind]
    return "" if right(value) else words


def _is_text(value: object) -> bool:
    return isinstance(value, str | bool | int | float)


def _is_integer(value: object) -> bool:
    try:
        return not isinstance(value, bool) and isinstance(value, int | str) and int(value) is not None
    except ValueError:
        return False


def _is_number(value: object) -> bool:
    try:
        return not isinstance(value, bool) and isinstance(value, int | float | str) and isfinite(float(value))
    except ValueError:
        return False


def _is_flag(value: object) -> bool:
    return isinstance(value, bool) or value in ("true", "false")


def _is_json(value: object) -> bool:
    try:
        json.loads(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def _is_map(value: object) -> bool:
    return isinstance(value, dict) and not any(isinstance(each, dict | list) for each in value.values())


def _is_list(value: object) -> bool:
    return isinstance(value, list)


_KINDS: Mapping[Kind, tuple[Callable[[object], bool], str]] = MappingProxyType(
    {
        Kind.TEXT: (_is_text, "a text"),
        Kind.INTEGER: (_is_integer, "a whole number"),
        Kind.NUMBER: (_is_number, "a number"),
        Kind.FLAG: (_is_flag, "true or false"),
        Kind.JSON: (_is_json, "a JSON document as text"),
        Kind.MAP: (_is_map, "texts by name"),
        Kind.LIST: (_is_list, "a list"),
        Kind.SET: (_is_list, "a list"),
        Kind.BLOCK: (lambda value: isinstance(value, dict), "an object"),
        Kind.CODE: (lambda value: isinstance(value, Archive), "an archive"),
        Kind.FILE: (lambda value: isinstance(value, Asset), "a file"),
    }
)
