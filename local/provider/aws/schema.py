"""What a table of resource types says: properties, what AWS tells, and the functions that call AWS."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values


class Kind(Enum):
    """What a property's value is."""

    TEXT = auto()
    INTEGER = auto()
    NUMBER = auto()
    FLAG = auto()
    JSON = auto()
    """A JSON document as text, compared by what it says."""
    MAP = auto()
    """Texts by name, such as tags."""
    LIST = auto()
    SET = auto()
    """A list whose order means nothing."""
    BLOCK = auto()
    """Properties of their own."""
    CODE = auto()
    """An archive."""
    FILE = auto()
    """An asset."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """An input property."""

    kind: Kind
    required: bool = False
    replaces: bool = False
    """Whether AWS cannot change it, so that a change needs another resource."""
    default: Any = None
    """What AWS, or the genuine provider, takes when it is not given."""
    computed: bool = False
    """Whether AWS chooses when it is not given; leaving it out then changes nothing."""
    told: bool = True
    """Whether AWS tells it again, so that a refresh sees when it has been changed."""
    choices: tuple[str, ...] = ()
    """All texts that are taken; none means any."""
    alike: Callable[[Any], Any] | None = None
    """Gives the same for forms that AWS takes as the same."""
    items: Property | None = None
    """What a list or a set is made of."""
    fields: Mapping[str, Property] = field(default_factory=lambda: MappingProxyType({}))
    """What a block is made of."""


text = partial(Property, kind=Kind.TEXT)
integer = partial(Property, kind=Kind.INTEGER)
number = partial(Property, kind=Kind.NUMBER)
flag = partial(Property, kind=Kind.FLAG)
json_text = partial(Property, kind=Kind.JSON)
mapping = partial(Property, kind=Kind.MAP)
block = partial(Property, kind=Kind.BLOCK)
code = partial(Property, kind=Kind.CODE)
file = partial(Property, kind=Kind.FILE)


def listed(items: Property, **more: Any) -> Property:  # noqa: ANN401 - the attributes of a Property
    """Declare a list whose order matters."""
    return Property(kind=Kind.LIST, items=items, **more)


def unordered(items: Property, **more: Any) -> Property:  # noqa: ANN401 - likewise
    """Declare a list whose order means nothing."""
    return Property(kind=Kind.SET, items=items, **more)


@dataclass(frozen=True, kw_only=True)
class Naming:
    """How a resource without a name gets one."""

    property: str = "name"
    longest: int
    lower: bool = False
    """Whether AWS takes no capital letters."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an update is about; values are complete, with defaults for what is not given."""

    id: str
    old: Values
    new: Values
    outputs: Values
    """What AWS told before."""
    names: frozenset[str]
    """The properties whose meaning changed."""

    def has(self, *names: str) -> bool:
        """Say whether one of these properties changed."""
        return not self.names.isdisjoint(names)


Create: TypeAlias = "Callable[[Aws, Values], str]"
Finish: TypeAlias = "Callable[[Aws, str, Values], None]"
Read: TypeAlias = "Callable[[Aws, str, Values], Values | None]"
Update: TypeAlias = "Callable[[Aws, Change], None]"
Delete: TypeAlias = "Callable[[Aws, str, Values], None]"

ANY_CHANGE: tuple[str, ...] = ("*",)


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A resource type: what it takes, what it tells, and how it is made, read, changed and deleted."""

    token: str
    properties: Mapping[str, Property]
    outputs: Mapping[str, tuple[str, ...]]
    """What AWS tells beside the properties, each with the properties whose change may change it."""
    identity: tuple[str, ...] = ()
    """The properties that name the resource in AWS; two with the same cannot be there at once."""
    naming: Naming | None = None
    regional: bool = True
    """Whether the resource is in one region, which is then an output."""
    create: Create
    """Makes the resource and gives its id as soon as there is one."""
    finish: Finish | None = None
    """Sets what cannot be set while the resource is made, and waits until it works."""
    read: Read
    """Tells properties and outputs, or None when the resource is gone. Takes the id and what was known before."""
    update: Update | None = None
    """Changes the resource; without it every change replaces."""
    delete: Delete
    """Deletes the resource; that it is gone already is no error. Takes the id and what was known before."""
