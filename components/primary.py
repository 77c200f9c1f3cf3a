"""The attributes of a function that its fallback uses, whether this program deploys it or it exists already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi

    from overtime import settings


@dataclass(frozen=True, kw_only=True)
class FileSystem:
    """An EFS file system that a function mounts."""

    id: pulumi.Output[str]
    arn: pulumi.Output[str]
    access_point_arn: str
    """The access point through which the function mounts it."""
    path: str
    """Where the function mounts it."""


class Primary(Protocol):
    """A primary function."""

    name: str
    """Its name in AWS."""
    arn: pulumi.Output[str]
    role_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    """Its execution role, which is also its tasks' role."""
    log_group_name: pulumi.Output[str]
    log_group_arn: pulumi.Output[str]
    vpc: settings.Vpc
    """The VPC that it is attached to, if any; its tasks run there, too."""
    file_systems: Sequence[FileSystem]
    """What it mounts; its tasks mount them at the same paths."""
