from __future__ import annotations

import ipaddress
import itertools

import pytest

from local.errors import LocalError
from local.provider.awsx.subnets import one_per_zone


@pytest.mark.parametrize(
    ("cidr", "zones", "expected"),
    [
        ("10.42.0.0/16", 1, ["10.42.0.0/16"]),
        ("10.42.0.0/16", 2, ["10.42.0.0/17", "10.42.128.0/17"]),
        ("10.42.0.0/16", 3, ["10.42.0.0/18", "10.42.64.0/18", "10.42.128.0/18"]),
        ("10.42.0.0/16", 4, ["10.42.0.0/18", "10.42.64.0/18", "10.42.128.0/18", "10.42.192.0/18"]),
        ("192.168.7.0/26", 3, ["192.168.7.0/28", "192.168.7.16/28", "192.168.7.32/28"]),
        ("10.0.0.77/16", 2, ["10.0.0.0/17", "10.0.128.0/17"]),
    ],
)
def test_each_zone_has_an_equal_part_of_the_range(cidr: str, zones: int, expected: list[str]) -> None:
    """The strategy "Auto" of awsx: as many parts as the next power of two, taken from the start."""
    assert expected == one_per_zone(cidr, zones)


@pytest.mark.parametrize(
    ("cidr", "zones", "mask", "expected"),
    [
        ("10.42.0.0/16", 2, 19, ["10.42.0.0/19", "10.42.32.0/19"]),
        ("10.42.0.0/16", 3, 19, ["10.42.0.0/19", "10.42.32.0/19", "10.42.64.0/19"]),
        ("10.42.7.0/24", 6, 27, [f"10.42.7.{start}/27" for start in range(0, 192, 32)]),
        ("10.0.0.0/16", 1, 16, ["10.0.0.0/16"]),
    ],
)
def test_with_a_mask_a_zones_part_does_not_depend_on_how_many_there_are(
    cidr: str, zones: int, mask: int, expected: list[str]
) -> None:
    """As awsx lays them out with availabilityZoneCidrMask: one after the other from the start."""
    assert expected == one_per_zone(cidr, zones, mask)


@pytest.mark.parametrize("zones", range(1, 7))
def test_subnets_do_not_overlap_and_are_inside_the_network(zones: int) -> None:
    parts = [ipaddress.IPv4Network(part) for part in one_per_zone("10.1.0.0/20", zones)]
    assert zones == len(parts)
    assert all(part.subnet_of(ipaddress.IPv4Network("10.1.0.0/20")) for part in parts)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(parts, 2))


@pytest.mark.parametrize(
    ("cidr", "zones", "reason"),
    [
        ("10.0.0.0/27", 3, "'10.0.0.0/27' is too small for 3 zones.*Use a /26 or larger"),
        ("10.0.0.0/33", 2, "'10.0.0.0/33' is not an IPv4 range"),
        ("fd00::/56", 2, "'fd00::/56' is not an IPv4 range"),
    ],
)
def test_a_range_that_cannot_be_shared_is_refused_with_what_would_do(cidr: str, zones: int, reason: str) -> None:
    with pytest.raises(LocalError, match=reason):
        one_per_zone(cidr, zones)


@pytest.mark.parametrize("mask", [17, 29])
def test_a_mask_that_cannot_be_is_refused(mask: int) -> None:
    """AWS would refuse the subnets: outside of the network, or too small."""
    words = f"'10.0.0.0/16' cannot be cut into a /{mask} for each of 3 zones.*availabilityZoneCidrMask from 18 to 28"
    with pytest.raises(LocalError, match=words):
        one_per_zone("10.0.0.0/16", 3, mask)
