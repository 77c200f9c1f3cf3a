"""EC2 route tables, their routes, and the subnets that use them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.provider.aws.resources.network import STILL_USED, network_arn, retag_network, tagged
from local.provider.aws.resources.shapes import tags_of
from local.provider.aws.schema import Change, ResourceType, mapping, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import RouteTableTypeDef

    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_NO_TABLE = ("InvalidRouteTableID.NotFound", "InvalidRouteTableId.NotFound")
_NO_ROUTE = "InvalidRoute.NotFound"
_NO_ASSOCIATION = "InvalidAssociationID.NotFound"


def _table(aws: Aws, identity: str) -> RouteTableTypeDef | None:
    answer = unless_gone(lambda: aws.ec2.describe_route_tables(RouteTableIds=[identity]), *_NO_TABLE)
    return answer["RouteTables"][0] if answer and answer["RouteTables"] else None


def _known_table(known: Values) -> str:
    if "routeTableId" not in known:
        raise LocalError(
            "Its id does not tell its route table, so the local provider cannot import it. Let it be made."
        )
    return str(known["routeTableId"])


def _create_table(aws: Aws, given: Values) -> str:
    answer = aws.ec2.create_route_table(VpcId=given["vpcId"], **tagged("route-table", given))
    return answer["RouteTable"].get("RouteTableId", "")


def _read_table(aws: Aws, identity: str, _known: Values) -> Values | None:
    found = _table(aws, identity)
    if found is None:
        return None
    owner = found.get("OwnerId", "")
    return {
        "vpcId": found.get("VpcId"),
        "tags": tags_of(found.get("Tags", [])),
        "arn": network_arn(aws, owner, "route-table", identity),
        "ownerId": owner,
    }


def _delete_table(aws: Aws, identity: str, _known: Values) -> None:
    unless_gone(lambda: aws.when(lambda: aws.ec2.delete_route_table(RouteTableId=identity), STILL_USED), *_NO_TABLE)


ROUTE_TABLE = ResourceType(
    token="aws:ec2/routeTable:RouteTable",  # noqa: S106
    properties={"vpcId": text(required=True, replaces=True), "tags": mapping()},
    outputs={"arn": (), "ownerId": ()},
    create=_create_table,
    read=_read_table,
    update=retag_network,
    delete=_delete_table,
)


def _route(given: Values) -> dict[str, str]:
    return {
        "RouteTableId": given["routeTableId"],
        "DestinationCidrBlock": given["destinationCidrBlock"],
        "GatewayId": given["gatewayId"],
    }


def _create_route(aws: Aws, given: Values) -> str:
    aws.ec2.create_route(**_route(given))  # type: ignore[arg-type]
    # AWS gives routes no id; this one is as telling as the genuine provider's.
    digest = zlib.crc32(given["destinationCidrBlock"].encode())
    return f"r-{given['routeTableId']}{digest}"


def _read_route(aws: Aws, _identity: str, known: Values) -> Values | None:
    found = _table(aws, _known_table(known))
    routes = found.get("Routes", []) if found else []
    for route in routes:
        if route.get("DestinationCidrBlock") == known["destinationCidrBlock"]:
            return {
                "routeTableId": known["routeTableId"],
                "destinationCidrBlock": known["destinationCidrBlock"],
                "gatewayId": route.get("GatewayId"),
                "origin": route.get("Origin"),
                "state": route.get("State"),
            }
    return None


def _update_route(aws: Aws, change: Change) -> None:
    aws.ec2.replace_route(**_route(change.new))  # type: ignore[arg-type]


def _delete_route(aws: Aws, _identity: str, known: Values) -> None:
    table, destination = known["routeTableId"], known["destinationCidrBlock"]
    unless_gone(
        lambda: aws.ec2.delete_route(RouteTableId=table, DestinationCidrBlock=destination), _NO_ROUTE, *_NO_TABLE
    )


ROUTE = ResourceType(
    token="aws:ec2/route:Route",  # noqa: S106
    properties={
        "routeTableId": text(required=True, replaces=True),
        "destinationCidrBlock": text(required=True, replaces=True),
        "gatewayId": text(required=True),
    },
    outputs={"origin": (), "state": ("gatewayId",)},
    identity=("routeTableId", "destinationCidrBlock"),
    create=_create_route,
    read=_read_route,
    update=_update_route,
    delete=_delete_route,
)


def _associate(aws: Aws, given: Values) -> str:
    answer = aws.ec2.associate_route_table(RouteTableId=given["routeTableId"], SubnetId=given["subnetId"])
    return answer["AssociationId"]


def _read_association(aws: Aws, identity: str, known: Values) -> Values | None:
    found = _table(aws, _known_table(known))
    for association in found.get("Associations", []) if found else []:
        if association.get("RouteTableAssociationId") == identity:
            return {"routeTableId": known["routeTableId"], "subnetId": association.get("SubnetId")}
    return None


def _disassociate(aws: Aws, identity: str, _known: Values) -> None:
    unless_gone(lambda: aws.ec2.disassociate_route_table(AssociationId=identity), _NO_ASSOCIATION)


ROUTE_TABLE_ASSOCIATION = ResourceType(
    token="aws:ec2/routeTableAssociation:RouteTableAssociation",  # noqa: S106
    # Another table gives another association id, which an update could not tell the engine; hence a replacement.
    properties={
        "routeTableId": text(required=True, replaces=True),
        "subnetId": text(required=True, replaces=True),
    },
    outputs={},
    identity=("subnetId",),
    create=_associate,
    read=_read_association,
    delete=_disassociate,
)
