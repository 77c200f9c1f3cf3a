"""Every setting by its path, as the README's table writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator


def paths(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """List every setting by its path, without the fields of list elements."""
    for name, field in section.model_fields.items():
        annotation = field.annotation
        nested = get_args(annotation)[-1] if get_origin(annotation) is not None and get_args(annotation) else annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            yield from paths(nested, f"{prefix}{name}." + ("<key>." if name == "functions" else ""))
        else:
            yield f"{prefix}{name}"
