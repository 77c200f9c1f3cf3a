"""The capacity providers of an ECS cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.shapes import present
from local.provider.aws.schema import Change, ResourceType, block, integer, text, unordered
from local.provider.aws.session import refused_with, unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_GONE = "ClusterNotFoundException"
_IN_USE = refused_with("ResourceInUseException", "UpdateInProgressException")


def _put(aws: Aws, cluster: str, given: Values) -> None:
    strategy = [present(**each) for each in given["defaultCapacityProviderStrategies"] or []]
    shape: Values = {"capacityProviders": given["capacityProviders"] or [], "defaultCapacityProviderStrategy": strategy}
    aws.when(lambda: aws.ecs.put_cluster_capacity_providers(cluster=cluster, **shape), _IN_USE)


def _create(aws: Aws, given: Values) -> str:
    _put(aws, given["clusterName"], given)
    return str(given["clusterName"])


def _read(aws: Aws, name: str, _known: Values) -> Values | None:
    found = aws.ecs.describe_clusters(clusters=[name])["clusters"]
    active = [cluster for cluster in found if cluster.get("status") != "INACTIVE"]
    if not active:
        return None
    return {
        "clusterName": active[0]["clusterName"],
        "capacityProviders": active[0].get("capacityProviders", []),
        "defaultCapacityProviderStrategies": [
            {"capacityProvider": each["capacityProvider"], "base": each.get("base"), "weight": each.get("weight")}
            for each in active[0].get("defaultCapacityProviderStrategy", [])
        ],
    }


def _update(aws: Aws, change: Change) -> None:
    _put(aws, change.id, change.new)


def _delete(aws: Aws, name: str, _known: Values) -> None:
    nothing: Values = {"capacityProviders": [], "defaultCapacityProviderStrategies": []}
    unless_gone(lambda: _put(aws, name, nothing), _GONE)


CLUSTER_CAPACITY_PROVIDERS = ResourceType(
    token="aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",  # noqa: S106
    properties={
        "clusterName": text(required=True, replaces=True),
        "capacityProviders": unordered(text()),
        "defaultCapacityProviderStrategies": unordered(
            block(
                fields={
                    "capacityProvider": text(required=True),
                    "base": integer(default=0),
                    "weight": integer(default=0),
                }
            )
        ),
    },
    outputs={},
    identity=("clusterName",),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
