"""The attributes of a function that its fallback uses, whether this program deploys it or it exists already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pulumi

    from overtime import settings


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
