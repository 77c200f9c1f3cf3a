"""Names of images."""

from __future__ import annotations

import re
from dataclasses import dataclass

from local.errors import LocalError

_NAME = re.compile(r"(?P<host>[^/@]+)/(?P<repository>[a-z0-9][a-z0-9._/-]*):(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})")


class InvalidTagError(LocalError):
    """A tag does not say where the image is to be pushed."""


@dataclass(frozen=True)
class Tag:
    """An image's name in a registry."""

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, name: str) -> Tag:
        """Read `<host>/<repository>:<tag>`.

        Raises:
            InvalidTagError: a part is missing; without a host the image would go to a public registry.

        """
        match = _NAME.fullmatch(name)
        if match is None or not re.search(r"[.:]|^localhost$", match["host"]):
            raise InvalidTagError(
                f"The tag {name!r} does not name a registry's host, a repository in it and a tag. "
                "Write it as <host>/<repository>:<tag>"
            )
        return cls(match["host"], match["repository"], match["tag"])

    def __str__(self) -> str:
        """Give the name as Docker takes it."""
        return f"{self.host}/{self.repository}:{self.tag}"

    def at(self, digest: str) -> str:
        """Name exactly one image, whatever the tag will mean later."""
        return f"{self.host}/{self.repository}@{digest}"
