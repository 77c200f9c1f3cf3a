"""AWS's partitions and the prefixes of their regions, from `partitions.json` of the AWS SDKs."""

from __future__ import annotations


class Partition:
    """One partition."""

    __slots__ = ("console", "dns_suffix", "name", "regions")

    def __init__(self, name: str, regions: str, dns_suffix: str, console: str | None = None) -> None:
        self.name = name
        """Its name in ARNs, such as `aws`."""
        self.regions = regions
        """Prefix of its regions' names; empty for `aws`, which has all others."""
        self.dns_suffix = dns_suffix
        """Suffix of its services' host names."""
        self.console = console
        """The host of its web console, without the region's prefix; None if it has none on the internet."""


_AWS = Partition("aws", "", "amazonaws.com", "console.aws.amazon.com")
PARTITIONS = (
    _AWS,
    Partition("aws-cn", "cn-", "amazonaws.com.cn", "console.amazonaws.cn"),
    Partition("aws-us-gov", "us-gov-", "amazonaws.com", "console.amazonaws-us-gov.com"),
    Partition("aws-eusc", "eusc-", "amazonaws.eu"),
    Partition("aws-iso", "us-iso-", "c2s.ic.gov"),
    Partition("aws-iso-b", "us-isob-", "sc2s.sgov.gov"),
    Partition("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk"),
    Partition("aws-iso-f", "us-isof-", "csp.hci.ic.gov"),
)


def partition_of(region: str) -> Partition:
    """Return a region's partition; `aws` if no other partition's prefix matches."""
    return next((each for each in PARTITIONS[1:] if region.startswith(each.regions)), _AWS)


def named(partition: str) -> Partition | None:
    """Return the partition with this name, or None."""
    return next((each for each in PARTITIONS if each.name == partition), None)
