"""Where tasks run: in a new VPC with public subnets and no NAT, or in existing subnets."""

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
"""Each subnet is an eighth of the VPC, however many zones there are, so that another zone does not move the others."""
_FARGATE_ZONES = {
    "ap-northeast-1": ("apne1-az1", "apne1-az2", "apne1-az4"),
    "cn-north-1": ("cnn1-az1", "cnn1-az2"),
    "us-west-1": ("usw1-az1", "usw1-az3"),
}
"""The supported zones in regions where Fargate does not run in every zone:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate-Regions.html"""


class TooFewZonesError(OvertimeError):
    """The region has fewer zones with Fargate than the settings request."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Arguments of `Network`."""

    network: settings.Network
    """A CIDR block and a number of zones, or existing subnets and security groups."""


class Network(pulumi.ComponentResource):
    """Subnets and security groups for tasks. The security group that it creates allows no inbound traffic."""

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
            # A public address is billed only while a task runs, a NAT gateway always.
            nat_gateways=awsx.ec2.NatGatewayConfigurationArgs(strategy=awsx.ec2.NatGatewayStrategy.NONE),
            subnet_specs=[awsx.ec2.SubnetSpecArgs(type=awsx.ec2.SubnetType.PUBLIC)],
            subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO,
            enable_dns_hostnames=True,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _zones(self, wanted: int) -> list[str]:
        # awsx would use the first of all zones, which may be a Local Zone of the account, without Fargate.
        found = aws.get_availability_zones(
            state="available",
            filters=[
                aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"]),
            ],
            opts=pulumi.InvokeOptions(parent=self),
        )
        # AWS maps zone names to zones per account; zone ids are the same in all accounts.
        ids = _FARGATE_ZONES.get(found.region, found.zone_ids)
        names = [name for name, zone in zip(found.names, found.zone_ids, strict=True) if zone in ids]
        return first_zones(names, wanted, region=found.region)

    def _egress_only(self, name: str, vpc: awsx.ec2.Vpc) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            f"{name}-tasks",
            # AWS cannot change a description, so another text would replace the group, which running tasks use.
            description="overtime tasks: they call out, nothing calls them",
            vpc_id=vpc.vpc_id,
            opts=child,
        )
        rule = aws.vpc.SecurityGroupEgressRule(
            f"{name}-out", security_group_id=group.id, cidr_ipv4="0.0.0.0/0", ip_protocol="-1", opts=child
        )
        # The id comes from the rule, because a task that starts before the rule exists could not reach AWS.
        return rule.security_group_id


def first_zones(names: Sequence[str], wanted: int, *, region: str) -> list[str]:
    """Return the first `wanted` zones in alphabetical order. Raise `TooFewZonesError` if there are fewer."""
    if len(names) < wanted:
        raise TooFewZonesError(
            f"overtime:network.availability_zones is {wanted}, but Fargate runs in {len(names)} availability zones of "
            f"{region} ({', '.join(sorted(names))}), and each subnet needs a zone of its own. Request fewer zones "
            "(pulumi config set --path 'overtime:network.availability_zones' 2) or use another region."
        )
    return sorted(names)[:wanted]
