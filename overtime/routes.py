"""Warnings before an update: subnets of functions from which a task reaches AWS only through VPC endpoints.

On Lambda, a function needs no route to AWS's services unless its code calls them. A task always needs one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pulumi_aws as aws

from overtime.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from overtime.settings import Settings

ENDPOINTS = ("dynamodb", "ecr.api", "ecr.dkr", "lambda", "logs", "s3")
"""What a task calls, by the names of VPC endpoints: docs/operating.md has the purposes."""
_ANYWHERE = "0.0.0.0/0"


class Route(Protocol):
    """A route of a route table."""

    @property
    def cidr_block(self) -> str:
        """Its destination; empty if that is a prefix list or an IPv6 range."""

    @property
    def gateway_id(self) -> str:
        """The internet gateway (`igw-…`), gateway endpoint or `local` that is its target; otherwise empty."""


def route_notices(settings: Settings) -> Iterator[Notice]:
    """Yield a warning for each function with subnets from which no address outside the VPC can be reached."""
    known: dict[str, bool | str] = {}
    for key, function in settings.functions.items():
        subnets = function.vpc.subnet_ids
        known |= {subnet: _checked(subnet) for subnet in subnets if subnet not in known}
        closed = [subnet for subnet in subnets if known[subnet] is False]
        if closed:
            yield Notice(
                "warning",
                f"The tasks of {key!r} in {', '.join(closed)} reach AWS only through VPC endpoints: there is no"
                " default route that works without a public address, such as one through a NAT gateway. Without"
                f' endpoints for {", ".join(ENDPOINTS)}, tasks stop before a run begins: see "Functions in a VPC" in '
                "docs/operating.md.",
            )
        for reason in (reason for subnet in subnets if isinstance(reason := known[subnet], str)):
            yield Notice("info", f"The routes of a subnet of {key!r} are unknown: {reason}.")


def leads_out(routes: Sequence[Route]) -> bool:
    """Return whether there is a default route that serves an address without a public one.

    An internet gateway drops what comes from a private address.
    """
    return any(each.cidr_block == _ANYWHERE and not (each.gateway_id or "").startswith("igw-") for each in routes)


def _checked(subnet_id: str) -> bool | str:
    """Return whether a subnet's routes lead out of its VPC, or why that is unknown."""
    try:
        return leads_out(_routes(subnet_id))
    except Exception as error:  # noqa: BLE001 - the SDK raises no narrower type if a function fails
        return f"{subnet_id} could not be looked up ({error}); this needs ec2:DescribeRouteTables, ec2:DescribeSubnets"


def _routes(subnet_id: str) -> Sequence[Route]:
    vpc = aws.ec2.get_subnet(id=subnet_id).vpc_id
    tables = (
        aws.ec2.get_route_tables(
            vpc_id=vpc, filters=[aws.ec2.GetRouteTablesFilterArgs(name="association.subnet-id", values=[subnet_id])]
        ).ids
        or aws.ec2.get_route_tables(
            # Without an association of its own, a subnet has the VPC's main table.
            vpc_id=vpc,
            filters=[aws.ec2.GetRouteTablesFilterArgs(name="association.main", values=["true"])],
        ).ids
    )
    return aws.ec2.get_route_table(route_table_id=tables[0]).routes
