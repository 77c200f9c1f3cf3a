"""How a network's addresses are shared between zones (awsx: the strategy "Auto")."""

from __future__ import annotations

import ipaddress
import math

from local.errors import LocalError

SMALLEST = 28
"""AWS has no smaller subnets, as the length of their prefix."""


def one_per_zone(cidr: str, zones: int, zone_mask: int | None = None) -> list[str]:
    """Give each zone one subnet: its part of the range, from the start on.

    The parts have the prefix `zone_mask`; without one, the range is cut in as many as the next power of two.

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
    least = network.prefixlen + bits
    if least > SMALLEST:
        raise LocalError(
            f"The network's cidrBlock {cidr!r} is too small for {zones} zones: AWS's smallest subnet is a /{SMALLEST}. "
            f"Use a /{SMALLEST - bits} or larger, or fewer zones."
        )
    mask = least if zone_mask is None else zone_mask
    if not least <= mask <= SMALLEST:
        raise LocalError(
            f"The network's cidrBlock {cidr!r} cannot be cut into a /{mask} for each of {zones} zones: they would lie "
            f"outside of it, or be smaller than AWS's smallest subnet. Use an availabilityZoneCidrMask from {least} to "
            f"{SMALLEST}."
        )
    return [str(part) for part in network.subnets(new_prefix=mask)][:zones]
