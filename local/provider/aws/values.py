"""Property values as Python has them, from and to the engine's protocol buffers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

# The library brings no types.
from google.protobuf.struct_pb2 import ListValue, Struct  # type: ignore[import-untyped]
from google.protobuf.struct_pb2 import Value as Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

Values: TypeAlias = dict[str, Any]
"""Property values by name; a type's table says which Python types they have, which mypy cannot see."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the protocol's mark of a secret, not one
_ASSET = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
_UNKNOWN = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # text, and anything whose type is not known either
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
_UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown(Enum):
    """What a preview cannot know yet."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True)
class Secret:
    """A value that the state keeps encrypted."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(...)"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file: its text, or where it is."""

    hash: str = ""
    text: str | None = None
    path: str = ""
    uri: str = ""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """Files by name, or where they are."""

    hash: str = ""
    members: Mapping[str, Asset | Archive] | None = None
    path: str = ""
    uri: str = ""


class ProtocolError(Exception):
    """The engine sent what it was told not to send."""


def from_wire(struct: Struct) -> Values:
    """Read the properties of a request."""
    return {name: _from_wire(value) for name, value in struct.fields.items()}


def to_wire(values: Mapping[str, Any]) -> Struct:
    """Write the properties of an answer; what is None is left out."""
    return Struct(fields={name: _to_wire(value) for name, value in values.items() if value is not None})


def revealed(value: Any) -> Any:  # noqa: ANN401 - of any type, and given back as the same one
    """Give a value without the marks of secrets in it."""
    match value:
        case Secret():
            return revealed(value.value)
        case list():
            return [revealed(each) for each in value]
        case dict():
            return {name: revealed(each) for name, each in value.items()}
        case _:
            return value


def holds_secret(value: object) -> bool:
    """Say whether something in a value is secret."""
    return _holds(value, Secret)


def holds_unknown(value: object) -> bool:
    """Say whether something in a value is not known yet."""
    return _holds(value, Unknown)


def as_secret_as(value: Any, model: object) -> Any:  # noqa: ANN401 - likewise
    """Mark a value as secret if the value that it stands for held a secret."""
    return Secret(value) if holds_secret(model) and not holds_secret(value) else value


def _holds(value: object, kind: type) -> bool:
    match value:
        case _ if isinstance(value, kind):
            return True
        case Secret():
            return _holds(value.value, kind)
        case list():
            return any(_holds(each, kind) for each in value)
        case dict():
            return any(_holds(each, kind) for each in value.values())
        case _:
            return False


def _from_wire(wire: Wire) -> Any:  # noqa: ANN401 - the protocol's values are of many types
    match wire.WhichOneof("kind"):
        case "bool_value":
            return wire.bool_value
        case "number_value":
            return int(wire.number_value) if wire.number_value.is_integer() else wire.number_value
        case "string_value":
            return UNKNOWN if wire.string_value in _UNKNOWN else wire.string_value
        case "list_value":
            return [_from_wire(each) for each in wire.list_value.values]
        case "struct_value":
            fields = {name: _from_wire(value) for name, value in wire.struct_value.fields.items()}
            return _marked(fields) if _SIGNATURE in fields else fields
        case _:
            return None


def _marked(fields: Values) -> Secret | Asset | Archive:
    match fields[_SIGNATURE]:
        case mark if mark == _SECRET:
            return Secret(fields.get("value"))
        case mark if mark == _ASSET:
            asset = Asset(hash=fields.get("hash") or "", path=fields.get("path") or "", uri=fields.get("uri") or "")
            # An asset of no text at all is sent with the empty text.
            return asset if asset.path or asset.uri else replace(asset, text=fields.get("text") or "")
        case mark if mark == _ARCHIVE:
            return Archive(
                hash=fields.get("hash") or "",
                path=fields.get("path") or "",
                uri=fields.get("uri") or "",
                members=fields.get("assets"),
            )
        case mark:
            raise ProtocolError(f"The engine sent a value of the kind {mark!r}, which this provider did not ask for.")


def _to_wire(value: object) -> Wire:
    match value:
        case None:
            return Wire(null_value=0)
        case bool():
            return Wire(bool_value=value)
        case int() | float():
            return Wire(number_value=value)
        case str() | Unknown():
            return Wire(string_value=_UNKNOWN_TEXT if value is UNKNOWN else value)
        case list() | tuple():
            return Wire(list_value=ListValue(values=[_to_wire(each) for each in value]))
        case _:
            return Wire(struct_value=to_wire(_fields(value)))


def _fields(value: object) -> Values:
    match value:
        case dict():
            return value
        case Secret():
            return {_SIGNATURE: _SECRET, "value": value.value}
        case Asset():
            return {_SIGNATURE: _ASSET, **_place(value), "text": value.text}
        case Archive():
            members = None if value.members is None else dict(value.members)
            return {_SIGNATURE: _ARCHIVE, **_place(value), "assets": members}
        case _:
            raise TypeError(f"{value!r} of {type(value)} cannot be sent to the engine.")


def _place(value: Asset | Archive) -> Values:
    return {"path": value.path or None, "uri": value.uri or None, "hash": value.hash or None}
