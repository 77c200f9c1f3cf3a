from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

from local.provider.aws.checking import failures
from local.provider.aws.meaning import completed
from local.provider.aws.registry import TYPES
from local.provider.aws.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.provider.aws.schema import Property, ResourceType

pytestmark = pytest.mark.filterwarnings("ignore:.*has been deprecated in favor of:DeprecationWarning")
EVERY_TYPE = pytest.mark.parametrize("resource", TYPES.values(), ids=lambda each: each.token.rpartition(":")[2])


def sdk_class(token: str) -> type:
    """Find the class that programs make the type with."""
    _, module, name = token.split(":")
    package = module.partition("/")[0]
    return getattr(importlib.import_module(f"pulumi_aws.{'lambda_' if package == 'lambda' else package}"), name)  # type: ignore[no-any-return]


def sdk_names(cls: type) -> set[str]:
    """List the names under which a class sends or receives its properties."""
    getters = (each.fget for each in vars(cls).values() if isinstance(each, property))
    return {getattr(getter, "_pulumi_name", getattr(getter, "__name__", "")) for getter in getters}


@EVERY_TYPE
def test_names_are_those_of_the_sdk(resource: ResourceType) -> None:
    """A misspelt property would never be given, and a misspelt output never seen."""
    assert {*resource.properties, *resource.outputs} - sdk_names(sdk_class(resource.token)) == set()


@EVERY_TYPE
def test_the_sdk_tells_the_same_token(resource: ResourceType) -> None:
    assert vars(sdk_class(resource.token))["pulumi_type"] == resource.token


@EVERY_TYPE
def test_what_cannot_be_updated_is_replaced_by_every_property(resource: ResourceType) -> None:
    keeps = {name for name, each in resource.properties.items() if not each.replaces}
    assert bool(keeps) == (resource.update is not None)


@EVERY_TYPE
def test_identity_and_name_are_properties_that_replace(resource: ResourceType) -> None:
    names = {*resource.identity, *([resource.naming.property] if resource.naming else [])}
    assert {name for name in names if not resource.properties[name].replaces} == set()


@EVERY_TYPE
def test_causes_of_outputs_are_properties(resource: ResourceType) -> None:
    causes = {cause for each in resource.outputs.values() for cause in each}
    assert causes - {*resource.properties} == set()


@EVERY_TYPE
def test_defaults_are_values_that_a_program_could_give(resource: ResourceType) -> None:
    defaults = {name: each.default for name, each in resource.properties.items() if each.default is not None}
    wrong = [each for each in failures(resource, defaults) if "needs a value" not in each.reason]
    assert wrong == []


@EVERY_TYPE
def test_nothing_given_completes_to_every_property(resource: ResourceType) -> None:
    values: dict[str, Any] = completed(resource.properties, {})
    assert values.keys() == resource.properties.keys()


def nested(path: str, declared: Property) -> Iterator[tuple[str, Property]]:
    yield path, declared
    if declared.items:
        yield from nested(f"{path}[]", declared.items)
    for name, inner in declared.fields.items():
        yield from nested(f"{path}.{name}", inner)


@EVERY_TYPE
def test_lists_and_blocks_say_what_is_in_them(resource: ResourceType) -> None:
    """Without, nothing inside would be checked or compared."""
    every = [each for name, declared in resource.properties.items() for each in nested(name, declared)]
    lists = [path for path, each in every if each.kind in (Kind.LIST, Kind.SET) and not each.items]
    assert lists + [path for path, each in every if each.kind is Kind.BLOCK and not each.fields] == []
