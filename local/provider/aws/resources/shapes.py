"""Small changes of form between property values and what AWS takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from local.provider.aws.schema import Change
    from local.provider.aws.values import Values


def present(**shape: Any) -> Values:  # noqa: ANN401 - AWS's shapes, which botocore checks at the call
    """Give a shape without what is None."""
    return {name: value for name, value in shape.items() if value is not None}


def tag_list(tags: Mapping[str, str] | None, key: str = "Key", value: str = "Value") -> list[Any]:
    """Write tags as a list of pairs."""
    return [{key: name, value: text} for name, text in (tags or {}).items()]


def tags_of(pairs: Iterable[Mapping[str, Any]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Read tags from a list of pairs."""
    return {pair[key]: pair.get(value, "") for pair in pairs}


def retag(change: Change, *, put: Callable[[dict[str, str]], object], remove: Callable[[list[str]], object]) -> None:
    """Put the tags that are new or other, and remove those that are no more."""
    old, new = change.old["tags"] or {}, change.new["tags"] or {}
    removed = [name for name in old if name not in new]
    other = {name: text for name, text in new.items() if old.get(name) != text}
    if removed:
        remove(removed)
    if other:
        put(other)
