"""EC2 networks: VPCs, subnets and internet gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.shapes import present, retag, tag_list, tags_of
from local.provider.aws.schema import Change, ResourceType, flag, mapping, text
from local.provider.aws.session import refused_with, unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

STILL_USED = refused_with("DependencyViolation")
"""What is being deleted in it is not gone yet, such as the interface of a task that has just stopped."""


def tagged(kind: str, given: Values) -> Values:
    """Give the part of a creation's shape that tags what is made."""
    pairs = tag_list(given["tags"])
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": pairs}]} if pairs else {}


def retag_network(aws: Aws, change: Change) -> None:
    """Bring the tags of something in EC2 up to date."""
    retag(
        change,
        put=lambda tags: aws.ec2.create_tags(Resources=[change.id], Tags=tag_list(tags)),
        remove=lambda names: aws.ec2.delete_tags(Resources=[change.id], Tags=[{"Key": name} for name in names]),
    )


def network_arn(aws: Aws, owner: str, kind: str, identity: str) -> str:
    """Name something in EC2, which mostly tells no ARN."""
    return f"arn:{aws.partition}:ec2:{aws.region}:{owner}:{kind}/{identity}"


_NO_VPC = "InvalidVpcID.NotFound"


def _create_vpc(aws: Aws, given: Values) -> str:
    return aws.ec2.create_vpc(CidrBlock=given["cidrBlock"], **tagged("vpc", given))["Vpc"]["VpcId"]


def _finish_vpc(aws: Aws, vpc: str, given: Values) -> None:
    # AWS takes one attribute a call; host names need support.
    aws.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": given["enableDnsSupport"]})
    aws.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": given["enableDnsHostnames"]})


def _read_vpc(aws: Aws, vpc: str, _known: Values) -> Values | None:
    answer = unless_gone(lambda: aws.ec2.describe_vpcs(VpcIds=[vpc]), _NO_VPC)
    if not answer or not answer["Vpcs"]:
        return None
    found, of_vpc = answer["Vpcs"][0], [{"Name": "vpc-id", "Values": [vpc]}]
    owner = found.get("OwnerId", "")
    hostnames = aws.ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")
    support = aws.ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsSupport")
    main = [*of_vpc, {"Name": "association.main", "Values": ["true"]}]
    default = [*of_vpc, {"Name": "group-name", "Values": ["default"]}]
    tables = aws.ec2.describe_route_tables(Filters=main)["RouteTables"]  # type: ignore[arg-type]
    groups = aws.ec2.describe_security_groups(Filters=default)["SecurityGroups"]  # type: ignore[arg-type]
    return {
        "cidrBlock": found.get("CidrBlock"),
        "enableDnsHostnames": hostnames.get("EnableDnsHostnames", {}).get("Value"),
        "enableDnsSupport": support.get("EnableDnsSupport", {}).get("Value"),
        "tags": tags_of(found.get("Tags", [])),
        "arn": network_arn(aws, owner, "vpc", vpc),
        "ownerId": owner,
        "mainRouteTableId": tables[0].get("RouteTableId") if tables else None,
        "defaultSecurityGroupId": groups[0].get("GroupId") if groups else None,
    }


def _update_vpc(aws: Aws, change: Change) -> None:
    if change.has("enableDnsSupport", "enableDnsHostnames"):
        _finish_vpc(aws, change.id, change.new)
    retag_network(aws, change)


def _delete_vpc(aws: Aws, vpc: str, _known: Values) -> None:
    unless_gone(lambda: aws.when(lambda: aws.ec2.delete_vpc(VpcId=vpc), STILL_USED), _NO_VPC)


VPC = ResourceType(
    token="aws:ec2/vpc:Vpc",  # noqa: S106
    properties={
        "cidrBlock": text(required=True, replaces=True),
        "enableDnsHostnames": flag(default=False),
        "enableDnsSupport": flag(default=True),
        "tags": mapping(),
    },
    outputs={"arn": (), "ownerId": (), "mainRouteTableId": (), "defaultSecurityGroupId": ()},
    create=_create_vpc,
    finish=_finish_vpc,
    read=_read_vpc,
    update=_update_vpc,
    delete=_delete_vpc,
)

_NO_SUBNET = "InvalidSubnetID.NotFound"


def _create_subnet(aws: Aws, given: Values) -> str:
    shape = present(VpcId=given["vpcId"], CidrBlock=given["cidrBlock"], AvailabilityZone=given["availabilityZone"])
    return aws.ec2.create_subnet(**shape, **tagged("subnet", given))["Subnet"]["SubnetId"]


def _finish_subnet(aws: Aws, subnet: str, given: Values) -> None:
    aws.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": given["mapPublicIpOnLaunch"]})


def _read_subnet(aws: Aws, subnet: str, _known: Values) -> Values | None:
    answer = unless_gone(lambda: aws.ec2.describe_subnets(SubnetIds=[subnet]), _NO_SUBNET)
    if not answer or not answer["Subnets"]:
        return None
    found = answer["Subnets"][0]
    return {
        "vpcId": found.get("VpcId"),
        "cidrBlock": found.get("CidrBlock"),
        "availabilityZone": found.get("AvailabilityZone"),
        "mapPublicIpOnLaunch": found.get("MapPublicIpOnLaunch"),
        "tags": tags_of(found.get("Tags", [])),
        "arn": found.get("SubnetArn") or network_arn(aws, found.get("OwnerId", ""), "subnet", subnet),
        "ownerId": found.get("OwnerId"),
        "availabilityZoneId": found.get("AvailabilityZoneId"),
    }


def _update_subnet(aws: Aws, change: Change) -> None:
    if change.has("mapPublicIpOnLaunch"):
        _finish_subnet(aws, change.id, change.new)
    retag_network(aws, change)


def _delete_subnet(aws: Aws, subnet: str, _known: Values) -> None:
    unless_gone(lambda: aws.when(lambda: aws.ec2.delete_subnet(SubnetId=subnet), STILL_USED), _NO_SUBNET)


SUBNET = ResourceType(
    token="aws:ec2/subnet:Subnet",  # noqa: S106
    properties={
        "vpcId": text(required=True, replaces=True),
        "cidrBlock": text(required=True, replaces=True),
        "availabilityZone": text(replaces=True, computed=True),
        "mapPublicIpOnLaunch": flag(default=False),
        "tags": mapping(),
    },
    outputs={"arn": (), "ownerId": (), "availabilityZoneId": ()},
    # Two subnets of one VPC cannot have the same addresses.
    identity=("vpcId", "cidrBlock"),
    create=_create_subnet,
    finish=_finish_subnet,
    read=_read_subnet,
    update=_update_subnet,
    delete=_delete_subnet,
)

_NO_GATEWAY = "InvalidInternetGatewayID.NotFound"


def _create_gateway(aws: Aws, given: Values) -> str:
    answer = aws.ec2.create_internet_gateway(**tagged("internet-gateway", given))
    return answer["InternetGateway"]["InternetGatewayId"]


def _finish_gateway(aws: Aws, gateway: str, given: Values) -> None:
    if given["vpcId"]:
        # It is attached already when an earlier update got no further than this.
        unless_gone(
            lambda: aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=given["vpcId"]),
            "Resource.AlreadyAssociated",
        )


def _detach(aws: Aws, gateway: str, vpc: str) -> None:
    unless_gone(
        lambda: aws.when(lambda: aws.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc), STILL_USED),
        _NO_GATEWAY,
        "Gateway.NotAttached",
    )


def _read_gateway(aws: Aws, gateway: str, _known: Values) -> Values | None:
    answer = unless_gone(lambda: aws.ec2.describe_internet_gateways(InternetGatewayIds=[gateway]), _NO_GATEWAY)
    if not answer or not answer["InternetGateways"]:
        return None
    found = answer["InternetGateways"][0]
    attached = found.get("Attachments", [])
    return {
        "vpcId": attached[0].get("VpcId") if attached else None,
        "tags": tags_of(found.get("Tags", [])),
        "arn": network_arn(aws, found.get("OwnerId", ""), "internet-gateway", gateway),
        "ownerId": found.get("OwnerId"),
    }


def _update_gateway(aws: Aws, change: Change) -> None:
    if change.has("vpcId"):
        if change.old["vpcId"]:
            _detach(aws, change.id, change.old["vpcId"])
        _finish_gateway(aws, change.id, change.new)
    retag_network(aws, change)


def _delete_gateway(aws: Aws, gateway: str, known: Values) -> None:
    if known.get("vpcId"):
        _detach(aws, gateway, known["vpcId"])
    unless_gone(
        lambda: aws.when(lambda: aws.ec2.delete_internet_gateway(InternetGatewayId=gateway), STILL_USED), _NO_GATEWAY
    )


INTERNET_GATEWAY = ResourceType(
    token="aws:ec2/internetGateway:InternetGateway",  # noqa: S106
    properties={"vpcId": text(), "tags": mapping()},
    outputs={"arn": (), "ownerId": ()},
    create=_create_gateway,
    finish=_finish_gateway,
    read=_read_gateway,
    update=_update_gateway,
    delete=_delete_gateway,
)
