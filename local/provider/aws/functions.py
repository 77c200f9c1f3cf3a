"""The functions of the package, by which a program asks AWS without making anything."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.provider.aws.checking import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ec2.type_defs import FilterTypeDef

    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of the package: the arguments it takes, and what answers it."""

    arguments: tuple[str, ...]
    answer: Callable[[Aws, Values], Values]


def function_of(token: str) -> Function:
    """Find a function.

    Raises:
        LocalError: it is not among those that the program uses.

    """
    if token not in FUNCTIONS:
        raise LocalError(
            f"The local provider has no function {token}; it has {', '.join(sorted(FUNCTIONS))}. Use the genuine aws "
            "plugin."
        )
    return FUNCTIONS[token]


def argument_failures(token: str, arguments: Values) -> list[Failure]:
    """List the arguments that a function does not take."""
    taken = function_of(token).arguments
    return [
        Failure(name, f"The local provider's {token} does not take {name!r}, only: {', '.join(taken) or 'nothing'}.")
        for name in arguments
        if name not in taken
    ]


def _region(aws: Aws, arguments: Values) -> Values:
    region = arguments.get("region") or arguments.get("name") or aws.region
    return {
        "region": region,
        "name": region,
        "id": region,
        "description": region,
        "endpoint": f"ec2.{region}.amazonaws.com",
    }


def _caller_identity(aws: Aws, _arguments: Values) -> Values:
    caller = aws.sts.get_caller_identity()
    account = caller["Account"]
    return {"accountId": account, "arn": caller["Arn"], "userId": caller["UserId"], "id": account}


def _partition(aws: Aws, _arguments: Values) -> Values:
    china = aws.partition == "aws-cn"
    return {
        "partition": aws.partition,
        "id": aws.partition,
        "dnsSuffix": "amazonaws.com.cn" if china else "amazonaws.com",
        "reverseDnsPrefix": "cn.com.amazonaws" if china else "com.amazonaws",
    }


def _filters(arguments: Values) -> list[FilterTypeDef]:
    return [{"Name": each["name"], "Values": each["values"]} for each in arguments.get("filters") or []]


def _availability_zones(aws: Aws, arguments: Values) -> Values:
    filters = arguments.get("filters") or []
    found = aws.ec2.describe_availability_zones(Filters=_filters(arguments))["AvailabilityZones"]
    wanted, excluded = arguments.get("state"), arguments.get("excludeZoneIds") or []
    zones = [
        zone for zone in found if zone.get("ZoneId") not in excluded and (not wanted or zone.get("State") == wanted)
    ]
    zones.sort(key=lambda zone: zone.get("ZoneName", ""))
    return {
        "id": aws.region,
        "region": aws.region,
        "state": wanted,
        "filters": filters,
        "excludeZoneIds": excluded,
        "names": [zone.get("ZoneName") for zone in zones],
        "zoneIds": [zone.get("ZoneId") for zone in zones],
        "groupNames": sorted({zone["GroupName"] for zone in zones if zone.get("GroupName")}),
    }


def _registry_login(aws: Aws, arguments: Values) -> Values:
    registry = arguments.get("registryId")
    asked = {"registryIds": [registry]} if registry else {}
    login = aws.ecr.get_authorization_token(**asked)["authorizationData"][0]
    user, _, password = base64.b64decode(login["authorizationToken"]).decode().partition(":")
    return {
        "id": registry or aws.region,
        "region": aws.region,
        "registryId": registry,
        "authorizationToken": login["authorizationToken"],
        "expiresAt": login["expiresAt"].isoformat(),
        "proxyEndpoint": login["proxyEndpoint"],
        "userName": user,
        "password": password,
    }


def _invocation(aws: Aws, arguments: Values) -> Values:
    name, given = str(arguments["functionName"]), str(arguments["input"])
    answer = aws.functions.invoke(FunctionName=name, Payload=given.encode())
    result = answer["Payload"].read().decode()
    if answer.get("FunctionError"):
        raise LocalError(f"The function {name!r} failed ({answer['FunctionError']}): {result}")
    return {"id": name, "functionName": name, "input": given, "qualifier": "$LATEST", "result": result}


def _subnet(aws: Aws, arguments: Values) -> Values:
    found = aws.ec2.describe_subnets(SubnetIds=[str(arguments["id"])])["Subnets"][0]
    return {"id": found["SubnetId"], "vpcId": found["VpcId"], "cidrBlock": found["CidrBlock"], "region": aws.region}


def _route_tables(aws: Aws, arguments: Values) -> Values:
    asked: list[FilterTypeDef] = [
        {"Name": "vpc-id", "Values": [str(arguments["vpcId"])]},
        *_filters(arguments),
    ]
    found = aws.ec2.describe_route_tables(Filters=asked)["RouteTables"]
    return {"id": aws.region, "region": aws.region, "ids": [table["RouteTableId"] for table in found]}


def _route_table(aws: Aws, arguments: Values) -> Values:
    found = aws.ec2.describe_route_tables(RouteTableIds=[str(arguments["routeTableId"])])["RouteTables"][0]
    # The genuine provider writes all targets of a route; these are what the program reads.
    routes = [
        {
            "cidrBlock": route.get("DestinationCidrBlock", ""),
            "gatewayId": route.get("GatewayId", ""),
            "natGatewayId": route.get("NatGatewayId", ""),
        }
        for route in found["Routes"]
    ]
    table = found["RouteTableId"]
    return {"id": table, "routeTableId": table, "vpcId": found["VpcId"], "routes": routes, "region": aws.region}


def _access_point(aws: Aws, arguments: Values) -> Values:
    point = aws.efs.describe_access_points(AccessPointId=str(arguments["accessPointId"]))["AccessPoints"][0]
    prefix, system = point["AccessPointArn"].partition("access-point/")[0], point["FileSystemId"]
    return {
        "id": point["AccessPointId"],
        "accessPointId": point["AccessPointId"],
        "arn": point["AccessPointArn"],
        "fileSystemId": system,
        "fileSystemArn": f"{prefix}file-system/{system}",
        "ownerId": point["OwnerId"],
        "region": aws.region,
    }


FUNCTIONS = MappingProxyType(
    {
        "aws:index/getRegion:getRegion": Function(arguments=("region", "name"), answer=_region),
        "aws:index/getCallerIdentity:getCallerIdentity": Function(arguments=(), answer=_caller_identity),
        "aws:index/getPartition:getPartition": Function(arguments=(), answer=_partition),
        "aws:index/getAvailabilityZones:getAvailabilityZones": Function(
            arguments=("state", "filters", "excludeZoneIds"), answer=_availability_zones
        ),
        "aws:ec2/getSubnet:getSubnet": Function(arguments=("id",), answer=_subnet),
        "aws:ec2/getRouteTables:getRouteTables": Function(arguments=("vpcId", "filters"), answer=_route_tables),
        "aws:ec2/getRouteTable:getRouteTable": Function(arguments=("routeTableId",), answer=_route_table),
        "aws:efs/getAccessPoint:getAccessPoint": Function(arguments=("accessPointId",), answer=_access_point),
        "aws:lambda/getInvocation:getInvocation": Function(arguments=("functionName", "input"), answer=_invocation),
        "aws:ecr/getAuthorizationToken:getAuthorizationToken": Function(
            arguments=("registryId",), answer=_registry_login
        ),
        "aws:ecr/getCredentials:getCredentials": Function(arguments=("registryId",), answer=_registry_login),
    }
)
