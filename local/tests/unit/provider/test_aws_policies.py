"""The type `aws:iam/policy:Policy`, against moto's IAM."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from local.provider.aws.provider import Named, Provider
from local.provider.aws.session import Aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.provider.aws.values import Values

POLICY = Named("aws:iam/policy:Policy", "more")


def inputs(action: str, **more: object) -> Values:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return {"name": "more", "policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}), **more}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Aws(region="eu-west-1")


def action_in_force(aws: Aws, arn: str) -> str:
    version = aws.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = aws.iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert isinstance(document, dict)
    return str(document["Statement"][0]["Action"])


def test_a_life(aws: Aws) -> None:
    """It is made, read back as it is written, changed in place more often than IAM keeps versions, and deleted."""
    provider, given = Provider(aws), inputs("sqs:A", tags={"owner": "a"})
    arn, state = provider.create(POLICY, given)
    assert (state["arn"], state["policy"], state["tags"]) == (arn, given["policy"], {"owner": "a"})
    assert provider.read(POLICY, arn, given, state) == (given, state)

    for letter in "BCDEFG":
        new = inputs(f"sqs:{letter}", tags={"owner": letter})
        state, given = provider.update(POLICY, arn, state, given, new), new
        assert action_in_force(aws, arn) == f"sqs:{letter}"
    assert state["tags"] == {"owner": "G"}

    provider.delete(POLICY, arn, state)
    assert provider.read(POLICY, arn, given, state) is None
    provider.delete(POLICY, arn, state)


def test_what_iam_cannot_change_replaces() -> None:
    """Name, path and description are for good."""
    found, _ = Provider(Aws(region="eu-west-1")).diff(
        POLICY, inputs("sqs:A", description="x"), inputs("sqs:B", description="y")
    )
    assert {each.name: each.replaces for each in found} == {"policy": False, "description": True}
