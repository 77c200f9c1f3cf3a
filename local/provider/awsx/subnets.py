"""How a network's addresses are shared between zones (awsx: the strategy "Auto")."""

from __future__ import annotations

import ipaddress
import math

from local.errors import LocalError

SMALLEST = 28
"""AWS has no smaller subnets, as the length of their prefix."""


def one_per_zone(cidr: str, zones: int) -> list[str]:
    """Give each zone one subnet: the range is cut in as many equal parts as the next power of two.

    Raises:
        LocalError: the range is none of IPv4, or too small.

    """
    try:
        network = ipaddress.IPv4Network(cidr, strict=False)
    except ValueError as error:
        raise LocalError(
            f"The network's cidrBlock {cidr!r} is not an IPv4 range ({error}). Write it like 10.0.0.0/16."
        ) from error
    bits = math.ceil(math.log2(zones))
    if network.prefixlen + bits > SMALLEST:
        raise LocalError(
            f"The network's cidrBlock {cidr!r} is too small for {zones} zones: AWS's smallest subnet is a /{SMALLEST}. "
            f"Use a /{SMALLEST - bits} or larger, or fewer zones."
        )
    return [str(part) for part in network.subnets(prefixlen_diff=bits)][:zones]
