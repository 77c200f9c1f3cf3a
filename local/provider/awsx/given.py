"""A component's inputs as its request holds them, and the refusal by name of those that are not supported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from local.errors import LocalError

if TYPE_CHECKING:
    import pulumi

Plain: TypeAlias = "bool | float | str | Sequence[Plain] | Mapping[str, Plain] | None"


class UnsupportedInputError(LocalError):
    """A component was asked for something that would not be made."""


def refuse(component: str, name: str, problems: Mapping[str, str]) -> None:
    """Name all inputs that cannot be honoured, if there are any.

    Raises:
        UnsupportedInputError: there are.

    """
    if problems:
        listed = "".join(f"\n    {key}: {problem}" for key, problem in problems.items())
        raise UnsupportedInputError(
            f"The local stand-in of awsx cannot make the {component} {name!r} as the program wants it. "
            f"Change these inputs, or use the genuine plugin:{listed}"
        )


def unknown_names(inputs: pulumi.Inputs, known: Sequence[str]) -> dict[str, str]:
    """Say which inputs have names that the component does nothing with."""
    return {
        key: f"is not supported; known are {', '.join(known)}"
        for key, value in inputs.items()
        if key not in known and value is not None
    }


def plain(inputs: pulumi.Inputs, name: str) -> Plain:
    """Give an input that decides what is made, so that it must be known before anything is.

    Raises:
        UnsupportedInputError: it depends on another resource.

    """
    value = inputs.get(name)
    if not _is_plain(value):
        raise UnsupportedInputError(
            f"The input {name!r} depends on another resource, but decides which resources there are. "
            "Give it a plain value."
        )
    return cast("Plain", value)


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_is_plain(item) for item in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
