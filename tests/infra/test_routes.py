"""Warnings of subnets from which tasks reach AWS only through VPC endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pytest

from tests.infra.recording import NO_SUBNET

if TYPE_CHECKING:
    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

LOCAL = {"cidrBlock": "10.0.0.0/16", "gatewayId": "local"}
ENDPOINT = {"cidrBlock": "", "gatewayId": "vpce-0a"}
INTERNET = {"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-0a"}
NAT = {"cidrBlock": "0.0.0.0/0", "gatewayId": "", "natGatewayId": "nat-0a"}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Write down what the program logs."""
    found: list[tuple[str, str]] = []
    for severity in ("warn", "info"):
        monkeypatch.setattr(pulumi.log, severity, lambda text, severity=severity: found.append((severity, text)))
    return found


def vpc(*subnets: str) -> dict[str, object]:
    return {"vpc": {"subnet_ids": list(subnets), "security_group_ids": ["sg-0a"]}}


@pytest.mark.parametrize("routes", [[LOCAL], [LOCAL, ENDPOINT], [LOCAL, INTERNET]])
def test_subnet_without_a_way_out(
    routes: list[dict[str, str]], told: list[tuple[str, str]], deploy: Deploy, recorder: Recorder
) -> None:
    """An internet gateway is none for a task, which has no public address."""
    recorder.routes |= {"subnet-0a": routes, "subnet-0b": [LOCAL, NAT]}
    deploy({"report": vpc("subnet-0a", "subnet-0b")})

    [(severity, text)] = told
    assert severity == "warn"
    assert text == (
        "The tasks of 'report' in subnet-0a reach AWS only through VPC endpoints: there is no default route that "
        "works without a public address, such as one through a NAT gateway. Without endpoints for dynamodb, "
        'ecr.api, ecr.dkr, lambda, logs, s3, tasks stop before a run begins: see "Functions in a VPC" in '
        "docs/operating.md."
    )


def test_subnets_with_a_way_out(told: list[tuple[str, str]], deploy: Deploy, recorder: Recorder) -> None:
    """By a table of their own, or by the main table of the VPC; a function without VPC has no subnets to look at."""
    recorder.routes |= {"subnet-0a": [LOCAL, NAT]}
    deploy({"report": vpc("subnet-0a", "subnet-0b"), "sums": {}})

    assert told == []


def test_subnet_that_cannot_be_looked_up(told: list[tuple[str, str]], deploy: Deploy) -> None:
    """The update goes on; people learn which permissions are missing."""
    deploy({"report": vpc(NO_SUBNET)})

    [(severity, text)] = told
    assert severity == "info"
    assert text.startswith(f"The routes of a subnet of 'report' are unknown: {NO_SUBNET} could not be looked up (")
    assert text.endswith("this needs ec2:DescribeRouteTables, ec2:DescribeSubnets.")
