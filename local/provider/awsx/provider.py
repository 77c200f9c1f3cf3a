"""The plugin: which component a request is for."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pulumi.provider import ConstructResult, Provider

from local.errors import LocalError
from local.provider.awsx.repository import Repository
from local.provider.awsx.vpc import Vpc

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

VERSION = "3.11.0"
COMPONENTS: Mapping[str, type[Vpc | Repository]] = MappingProxyType(
    {component.TYPE: component for component in (Vpc, Repository)}
)


class AwsxProvider(Provider):
    """Makes components inside the engine's run."""

    def __init__(self) -> None:
        super().__init__(VERSION)

    def construct(
        self, name: str, resource_type: str, inputs: pulumi.Inputs, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """Make a component and its children.

        Raises:
            LocalError: the component, or one of its inputs, is not among those that are known here.

        """
        component = COMPONENTS.get(resource_type)
        if component is None:
            raise LocalError(
                f"{name!r} is of type {resource_type!r}, which the local stand-in of awsx does not know; it knows "
                f"{', '.join(COMPONENTS)}. Use one of these, or the genuine plugin."
            )
        made = component(name, inputs, options)
        return ConstructResult(made.urn, made.state)
