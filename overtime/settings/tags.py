"""Types of tags. They follow the rules of IAM, the strictest of the services whose resources are tagged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from overtime.settings.rules import broken, ruled, text

OWN = 2
"""How many tags the program and the packages it uses put on a resource at most."""
_MOST = 50 - OWN
_CHARACTERS = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"  # `tagKeyType` and `tagValueType` in IAM's service model


def _own_tag(value: str) -> str:
    if value.lower().startswith("aws:"):
        raise ValueError(value)
    return value


def _together(tags: Mapping[str, str]) -> Mapping[str, str]:
    seen: dict[str, str] = {}
    for key in tags:
        if (other := seen.setdefault(key.lower(), key)) != key:
            raise broken(f"IAM ignores the case of tag keys, so this key repeats {other!r}.", at=(key,))
    if len(tags) > _MOST:
        rule = (
            f"AWS accepts 50 tags per resource, and {OWN} are reserved for the program; this section has {len(tags)}."
        )
        raise broken(rule, at=(list(tags)[_MOST],))
    return tags


Tag = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=f"^{_CHARACTERS}*$"),
    AfterValidator(_own_tag),
    ruled("A tag's key has 1 to 128 letters, digits, spaces and _.:/=+-@, and does not start with aws:."),
]
TagValue = Annotated[
    str,
    BeforeValidator(text),
    StringConstraints(max_length=256, pattern=f"^{_CHARACTERS}*$"),
    AfterValidator(_own_tag),
    ruled("A tag's value has at most 256 letters, digits, spaces and _.:/=+-@, and does not start with aws:.", ""),
]
Tags = Annotated[Mapping[Tag, TagValue], AfterValidator(_together)]
