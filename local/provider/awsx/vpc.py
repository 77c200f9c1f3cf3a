"""`awsx:ec2:Vpc`, so far as it needs no NAT gateway: one public subnet in each zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pulumi
import pulumi_aws as aws

from local.errors import LocalError
from local.provider.awsx import given
from local.provider.awsx.subnets import one_per_zone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KNOWN = (
    "cidrBlock",
    "numberOfAvailabilityZones",
    "availabilityZoneNames",
    "availabilityZoneCidrMask",
    "natGateways",
    "subnetSpecs",
    "subnetStrategy",
    "enableDnsHostnames",
    "enableDnsSupport",
    "tags",
)
ONLY: Mapping[str, given.Plain] = {
    "natGateways": {"strategy": "None"},
    "subnetSpecs": [{"type": "Public"}],
    "subnetStrategy": "Auto",
}
"""Inputs that must be given, and with this value: awsx's own defaults make NAT gateways and private subnets."""
DEFAULT_CIDR, DEFAULT_ZONES = "10.0.0.0/16", 3


@dataclass(frozen=True)
class Layout:
    """What decides which resources there are."""

    cidr: str
    subnets: Sequence[str]
    """The range of each zone's subnet."""
    zones: Sequence[str] | None = None
    """The zones' names; None stands for the first ones of the region."""


def layout(name: str, inputs: pulumi.Inputs) -> Layout:
    """Read the inputs that must be known.

    Raises:
        LocalError: they ask for what is not made here.

    """
    problems = given.unknown_names(inputs, KNOWN)
    for key, only in ONLY.items():
        value = given.plain(inputs, key)
        if value != only:
            problems[key] = f"is {value!r}, and can only be {only!r}"
    names = cast("Sequence[str] | None", given.plain(inputs, "availabilityZoneNames"))
    number = cast("float | None", given.plain(inputs, "numberOfAvailabilityZones"))
    if names is not None and number:
        problems["availabilityZoneNames"] = "is given beside numberOfAvailabilityZones; awsx takes one of them"
    given.refuse("Vpc", name, problems)
    cidr = str(given.plain(inputs, "cidrBlock") or DEFAULT_CIDR)
    count = len(names) if names is not None else int(number or DEFAULT_ZONES)
    mask = cast("float | None", given.plain(inputs, "availabilityZoneCidrMask"))
    return Layout(cidr, one_per_zone(cidr, count, None if mask is None else int(mask)), names)


class Vpc(pulumi.ComponentResource):
    """A network whose subnets reach the internet through its gateway."""

    TYPE = "awsx:ec2:Vpc"

    def __init__(self, name: str, inputs: pulumi.Inputs, opts: pulumi.ResourceOptions | None) -> None:
        wanted = layout(name, inputs)
        super().__init__(self.TYPE, name, {}, opts)
        self._name = name
        self._tags = pulumi.Output.from_input(inputs.get("tags") or {})
        self._vpc = aws.ec2.Vpc(
            name,
            cidr_block=wanted.cidr,
            enable_dns_hostnames=inputs.get("enableDnsHostnames"),
            enable_dns_support=inputs.get("enableDnsSupport"),
            tags=self._named(name),
            opts=pulumi.ResourceOptions(parent=self),
        )
        gateway = aws.ec2.InternetGateway(name, vpc_id=self._vpc.id, tags=self._named(name), opts=_below(self._vpc))
        zones = self._zones(wanted)
        made = [
            self._subnet(f"{name}-public-{number}", cidr, _zone(zones, number), gateway)
            for number, cidr in enumerate(wanted.subnets, start=1)
        ]
        self.state: Mapping[str, pulumi.Input[object]] = self._outputs(gateway, made)
        self.register_outputs(dict(self.state))

    def _zones(self, wanted: Layout) -> pulumi.Output[Sequence[str]]:
        if wanted.zones is not None:
            return pulumi.Output.from_input(list(wanted.zones))
        return aws.get_availability_zones_output(opts=pulumi.InvokeOptions(parent=self)).names

    def _subnet(
        self, name: str, cidr: str, zone: pulumi.Output[str], gateway: aws.ec2.InternetGateway
    ) -> _PublicSubnet:
        tags = self._named(name, SubnetType="Public")
        subnet = aws.ec2.Subnet(
            name,
            vpc_id=self._vpc.id,
            availability_zone=zone,
            map_public_ip_on_launch=True,
            cidr_block=cidr,
            tags=tags,
            opts=_below(self._vpc),
        )
        table = aws.ec2.RouteTable(name, vpc_id=self._vpc.id, tags=tags, opts=_below(subnet))
        association = aws.ec2.RouteTableAssociation(
            name, route_table_id=table.id, subnet_id=subnet.id, opts=_below(table)
        )
        route = aws.ec2.Route(
            name,
            route_table_id=table.id,
            gateway_id=gateway.id,
            destination_cidr_block="0.0.0.0/0",
            opts=_below(table),
        )
        return _PublicSubnet(subnet, table, association, route)

    def _named(self, name: str, **more: str) -> pulumi.Output[Mapping[str, str]]:
        return self._tags.apply(lambda tags: {"Name": self._name, **tags, **({"Name": name} if more else {}), **more})

    def _outputs(
        self, gateway: aws.ec2.InternetGateway, made: Sequence[_PublicSubnet]
    ) -> Mapping[str, pulumi.Input[object]]:
        subnets = [each.subnet for each in made]
        return {
            "vpc": self._vpc,
            "vpcId": self._vpc.id,
            "internetGateway": gateway,
            "subnets": subnets,
            "publicSubnets": subnets,
            "publicSubnetIds": [subnet.id for subnet in subnets],
            "routeTables": [each.table for each in made],
            "routeTableAssociations": [each.association for each in made],
            "routes": [each.route for each in made],
            "subnetLayout": [{"type": "Public"}],
            "privateSubnets": [],
            "privateSubnetIds": [],
            "isolatedSubnets": [],
            "isolatedSubnetIds": [],
            "natGateways": [],
            "eips": [],
            "vpcEndpoints": [],
        }


@dataclass(frozen=True)
class _PublicSubnet:
    subnet: aws.ec2.Subnet
    table: aws.ec2.RouteTable
    association: aws.ec2.RouteTableAssociation
    route: aws.ec2.Route


def _below(parent: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(parent=parent, depends_on=[parent])


def _zone(names: pulumi.Output[Sequence[str]], number: int) -> pulumi.Output[str]:
    return names.apply(lambda found: zone(found, number))


def zone(names: Sequence[str], number: int) -> str:
    """Take the zone of that number, counted from one.

    Raises:
        LocalError: the region has fewer.

    """
    if number > len(names):
        raise LocalError(
            f"The region has {len(names)} availability zones ({', '.join(names)}), and the network wants {number} or "
            "more. Set numberOfAvailabilityZones to fewer, or use another region."
        )
    return names[number - 1]
