"""Where tasks run: a VPC of their own with public subnets and no NAT, or subnets that exist."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
import pulumi_awsx as awsx

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overtime import settings

_ZONE_BITS = 3
"""A zone has an eighth of the VPC however many there are: one more leaves the subnets of the others where they are."""
_FARGATE_ZONES = {
    "ap-northeast-1": ("apne1-az1", "apne1-az2", "apne1-az4"),
    "cn-north-1": ("cnn1-az1", "cnn1-az2"),
    "us-west-1": ("usw1-az1", "usw1-az3"),
}
"""The zones of the regions where Fargate does not run in all of them:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate-Regions.html"""


class TooFewZonesError(OvertimeError):
    """The region has fewer zones than the settings want."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What the network needs to know."""

    network: settings.Network
    """A range and a number of zones, or the subnets and security groups to use."""


class Network(pulumi.ComponentResource):
    """Subnets and security groups for tasks that call out and that nothing may call."""

    subnet_ids: pulumi.Output[Sequence[str]]
    security_group_ids: pulumi.Output[Sequence[str]]
    public_ip: bool

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Network", name, {}, opts)
        given = args.network

        self.public_ip = given.public_ip
        if given.subnet_ids:
            self.subnet_ids = pulumi.Output.from_input(list(given.subnet_ids))
            self.security_group_ids = pulumi.Output.from_input(list(given.security_group_ids))
        else:
            vpc = self._vpc(name, given)
            self.subnet_ids = vpc.public_subnet_ids
            self.security_group_ids = pulumi.Output.all(self._egress_only(name, vpc)).apply(list)
        self.register_outputs({"subnet_ids": self.subnet_ids, "security_group_ids": self.security_group_ids})

    def _vpc(self, name: str, given: settings.Network) -> awsx.ec2.Vpc:
        return awsx.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=given.cidr,
            availability_zone_names=self._zones(given.availability_zones),
            availability_zone_cidr_mask=IPv4Network(given.cidr).prefixlen + _ZONE_BITS,
            # A public address costs per running task, a NAT gateway per hour: nothing runs here until it is needed.
            nat_gateways=awsx.ec2.NatGatewayConfigurationArgs(strategy=awsx.ec2.NatGatewayStrategy.NONE),
            subnet_specs=[awsx.ec2.SubnetSpecArgs(type=awsx.ec2.SubnetType.PUBLIC)],
            subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO,
            enable_dns_hostnames=True,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _zones(self, wanted: int) -> list[str]:
        # awsx would take the first of all zones, among them the Local Zones that the account uses: no Fargate there.
        found = aws.get_availability_zones(
            state="available",
            filters=[
                aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"]),
            ],
            opts=pulumi.InvokeOptions(parent=self),
        )
        # Names are drawn anew for each account, ids are the same everywhere.
        ids = _FARGATE_ZONES.get(found.region, found.zone_ids)
        names = [name for name, zone in zip(found.names, found.zone_ids, strict=True) if zone in ids]
        return first_zones(names, wanted, region=found.region)

    def _egress_only(self, name: str, vpc: awsx.ec2.Vpc) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            f"{name}-tasks",
            description="overtime tasks: they call out, nothing calls them",
            vpc_id=vpc.vpc_id,
            opts=child,
        )
        rule = aws.vpc.SecurityGroupEgressRule(
            f"{name}-out", security_group_id=group.id, cidr_ipv4="0.0.0.0/0", ip_protocol="-1", opts=child
        )
        # Through the rule: a task that starts before it exists could not reach AWS.
        return rule.security_group_id


def first_zones(names: Sequence[str], wanted: int, *, region: str) -> list[str]:
    """Take so many zones, always the same ones. Raises `TooFewZonesError`."""
    if len(names) < wanted:
        raise TooFewZonesError(
            f"overtime:network.availability_zones is {wanted}, but {region} has {len(names)} availability zones where "
            f"Fargate runs ({', '.join(sorted(names))}), and each subnet is in one of its own. Ask for fewer "
            "(pulumi config set --path 'overtime:network.availability_zones' 2), or take another region."
        )
    return sorted(names)[:wanted]
