"""Components without an engine: what they register, and what they refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi.runtime import mocks as pulumi_mocks

from local.errors import LocalError
from local.provider.awsx import repository, vpc
from local.provider.awsx.provider import AwsxProvider

if TYPE_CHECKING:
    from collections.abc import Callable

VPC: dict[str, Any] = {
    "cidrBlock": "10.42.0.0/16",
    "numberOfAvailabilityZones": 2.0,
    "natGateways": {"strategy": "None"},
    "subnetSpecs": [{"type": "Public"}],
    "subnetStrategy": "Auto",
    "enableDnsHostnames": True,
}
REPOSITORY: dict[str, Any] = {
    "imageTagMutability": "MUTABLE",
    "imageScanningConfiguration": {"scanOnPush": True},
    "lifecyclePolicy": {
        "rules": [
            {"description": "a", "tagStatus": "tagged", "tagPrefixList": ["a-"], "maximumNumberOfImages": 50.0},
            {"description": "none", "tagStatus": "untagged", "maximumNumberOfImages": 50.0},
        ]
    },
    "forceDelete": True,
}


class Recorder(pulumi_mocks.Mocks):
    """Keeps what was registered and called, and answers like AWS."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Give each resource an id, and what AWS would say of it."""
        self.inputs[f"{args.typ} {args.name}"] = args.inputs
        known = {"repositoryUrl": "registry/r", "name": args.name, "digest": "sha256:1"}
        return f"{args.name}-id", {**known, **args.inputs}

    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer a function of the plugin aws."""
        self.calls.append((args.token, args.args))
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
            },
            "aws:ecr/getAuthorizationToken:getAuthorizationToken": {
                "proxyEndpoint": "https://registry",
                "userName": "AWS",
                "password": "token",
            },
        }
        return answers[args.token], []


@pytest.fixture
def recorder() -> Recorder:
    found = Recorder()
    pulumi_mocks.set_mocks(found, project="p", stack="s", preview=False)
    return found


def outputs_of(make: Callable[[], Any], read: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Run a component to its end, and give outputs of it."""
    known: dict[str, Any] = {}

    def whole() -> pulumi.Output[None]:
        return pulumi.Output.from_input(read(make())).apply(known.update)

    to_its_end: Callable[[Callable[[], object]], Callable[[], None]] = pulumi_mocks.test
    to_its_end(whole)()
    return known


def test_a_vpc_has_the_children_of_the_genuine_one(recorder: Recorder) -> None:
    """Names, parents and inputs as awsx 3.11 gives them, so that a stack can go from one plugin to the other."""
    known = outputs_of(
        lambda: vpc.Vpc("net-vpc", VPC, None),
        lambda made: {
            "urns": [
                each.urn
                for name in ("vpc", "internetGateway", "subnets", "routeTables", "routeTableAssociations", "routes")
                for each in (made.state[name] if isinstance(made.state[name], list) else [made.state[name]])
            ],
            "vpcId": made.state["vpcId"],
            "publicSubnetIds": made.state["publicSubnetIds"],
        },
    )

    # Without an engine a URN names the parent's type only.
    inner, subnet, table = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/routeTable:RouteTable"
    association, route = "aws:ec2/routeTableAssociation:RouteTableAssociation", "aws:ec2/route:Route"
    zones = ("net-vpc-public-1", "net-vpc-public-2")
    assert [urn.removeprefix("urn:pulumi:s::p::") for urn in known["urns"]] == [
        f"awsx:ec2:Vpc${inner}::net-vpc",
        f"{inner}$aws:ec2/internetGateway:InternetGateway::net-vpc",
        *(f"{inner}${subnet}::{name}" for name in zones),
        *(f"{subnet}${table}::{name}" for name in zones),
        *(f"{table}${association}::{name}" for name in zones),
        *(f"{table}${route}::{name}" for name in zones),
    ]
    assert known["vpcId"] == "net-vpc-id"
    assert known["publicSubnetIds"] == ["net-vpc-public-1-id", "net-vpc-public-2-id"]
    assert recorder.inputs["aws:ec2/vpc:Vpc net-vpc"] == {
        "cidrBlock": "10.42.0.0/16",
        "enableDnsHostnames": True,
        "tags": {"Name": "net-vpc"},
    }
    assert recorder.inputs["aws:ec2/subnet:Subnet net-vpc-public-2"] == {
        "availabilityZone": "eu-west-1b",
        "cidrBlock": "10.42.128.0/17",
        "mapPublicIpOnLaunch": True,
        "tags": {"Name": "net-vpc-public-2", "SubnetType": "Public"},
        "vpcId": "net-vpc-id",
    }
    assert recorder.inputs["aws:ec2/route:Route net-vpc-public-1"] == {
        "destinationCidrBlock": "0.0.0.0/0",
        "gatewayId": "net-vpc-id",
        "routeTableId": "net-vpc-public-1-id",
    }


def test_a_vpc_in_named_zones(recorder: Recorder) -> None:
    """Subnets go to the zones that are named, in this order, and the region is not asked for its own."""
    named = {key: value for key, value in VPC.items() if key != "numberOfAvailabilityZones"}
    inputs = {**named, "availabilityZoneNames": ["eu-west-1c", "eu-west-1a"], "availabilityZoneCidrMask": 19.0}
    outputs_of(lambda: vpc.Vpc("n", inputs, None), lambda made: {"id": made.state["vpcId"]})

    subnets = [recorder.inputs[f"aws:ec2/subnet:Subnet n-public-{number}"] for number in (1, 2)]
    assert [(each["availabilityZone"], each["cidrBlock"]) for each in subnets] == [
        ("eu-west-1c", "10.42.0.0/19"),
        ("eu-west-1a", "10.42.32.0/19"),
    ]
    assert recorder.calls == []


def test_tags_of_a_vpc_reach_its_children(recorder: Recorder) -> None:
    outputs_of(lambda: vpc.Vpc("n", {**VPC, "tags": {"team": "x"}}, None), lambda made: {"id": made.state["vpcId"]})
    assert recorder.inputs["aws:ec2/routeTable:RouteTable n-public-1"]["tags"] == {
        "Name": "n-public-1",
        "SubnetType": "Public",
        "team": "x",
    }


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"natGateways": None}, r"natGateways: is None, and can only be \{'strategy': 'None'\}"),
        ({"natGateways": {"strategy": "Single"}}, "natGateways: is {'strategy': 'Single'}"),
        ({"subnetSpecs": [{"type": "Public"}, {"type": "Private"}]}, "subnetSpecs: is "),
        ({"subnetSpecs": [{"type": "Public", "cidrMask": 24}]}, "subnetSpecs: is "),
        ({"subnetStrategy": None}, "subnetStrategy: is None, and can only be 'Auto'"),
        ({"vpcEndpointSpecs": [{"serviceName": "s3"}]}, "vpcEndpointSpecs: is not supported"),
        ({"ipv6CidrBlock": "fd00::/56"}, "ipv6CidrBlock: is not supported"),
        ({"availabilityZoneNames": ["a", "b"]}, "availabilityZoneNames: is given beside numberOfAvailabilityZones"),
    ],
)
def test_a_vpc_of_another_kind_is_refused(changed: dict[str, Any], reason: str) -> None:
    """What awsx would make and the stand-in does not is named, never left out in silence."""
    with pytest.raises(LocalError, match=reason):
        vpc.layout("net-vpc", {**VPC, **changed})


def test_all_refusals_come_at_once() -> None:
    with pytest.raises(LocalError, match=r"Vpc 'net-vpc'(.|\n)*x: is not supported(.|\n)*subnetStrategy: is 'Exact'"):
        vpc.layout("net-vpc", {**VPC, "x": 1, "subnetStrategy": "Exact"})


def test_what_decides_the_number_of_resources_must_be_known() -> None:
    with pytest.raises(LocalError, match="'subnetSpecs' depends on another resource"):
        vpc.layout("net-vpc", {**VPC, "subnetSpecs": [pulumi.Output.from_input({"type": "Public"})]})


def test_a_region_with_too_few_zones_is_said() -> None:
    with pytest.raises(LocalError, match=r"has 2 availability zones \(a, b\), and the network wants 3"):
        vpc.zone(["a", "b"], 3)


@pytest.mark.parametrize("mutability", ["MUTABLE", "IMMUTABLE"])
def test_a_repository_has_its_lifecycle_policy(mutability: str, recorder: Recorder) -> None:
    """Whether tags may move is the program's choice."""
    known = outputs_of(
        lambda: repository.Repository("Main-images", {**REPOSITORY, "imageTagMutability": mutability}, None),
        lambda made: {"url": made.state["url"], "urn": made.state["lifecyclePolicy"].urn},
    )
    policy = "awsx:ecr:Repository$aws:ecr/lifecyclePolicy:LifecyclePolicy::main-images"
    assert known == {"url": "registry/r", "urn": f"urn:pulumi:s::p::{policy}"}
    assert recorder.inputs["aws:ecr/repository:Repository main-images"] == {
        "forceDelete": True,
        "imageScanningConfiguration": {"scanOnPush": True},
        "imageTagMutability": mutability,
    }
    assert recorder.inputs["aws:ecr/lifecyclePolicy:LifecyclePolicy main-images"]["repository"] == "main-images"


def test_the_rule_for_any_image_comes_last() -> None:
    """ECR refuses a policy in which it does not."""
    document = repository.lifecycle_policy(
        "r",
        [
            {"tagStatus": "any", "maximumNumberOfImages": 50.0},
            {"description": "old", "tagStatus": "untagged", "maximumAgeLimit": 7.0},
            {"tagStatus": "tagged", "tagPrefixList": ["v"], "maximumNumberOfImages": 3.0},
        ],
    )
    expire = {"type": "expire"}
    assert json.loads(document)["rules"] == [
        {
            "rulePriority": 1,
            "description": "old",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countNumber": 7,
                "countUnit": "days",
            },
            "action": expire,
        },
        {
            "rulePriority": 2,
            "selection": {
                "tagStatus": "tagged",
                "tagPrefixList": ["v"],
                "countType": "imageCountMoreThan",
                "countNumber": 3,
            },
            "action": expire,
        },
        {
            "rulePriority": 3,
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50},
            "action": expire,
        },
    ]


def test_a_repository_without_rules_drops_untagged_images() -> None:
    """The default of awsx."""
    [rule] = json.loads(repository.lifecycle_policy("r", []))["rules"]
    assert rule["selection"] == {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}


def test_a_repository_may_go_without_a_policy() -> None:
    assert repository.read("r", {"lifecyclePolicy": {"skip": True}}) == (None, None)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"encryptionConfigurations": []}, "encryptionConfigurations: is not supported"),
        ({"lifecyclePolicy": {"rule": []}}, r"lifecyclePolicy: has \['rule'\]; known are rules and skip"),
        ({"imageScanningConfiguration": {"x": 1}}, "imageScanningConfiguration: has"),
        ({"lifecyclePolicy": {"rules": [{"tagStatus": "any"}]}}, r"rules\[0\]: needs one of maximumNumberOfImages"),
        (
            {"lifecyclePolicy": {"rules": [{"tagStatus": "tagged", "maximumAgeLimit": 1}]}},
            r"rules\[0\]: needs a tagPrefixList",
        ),
        (
            {"lifecyclePolicy": {"rules": [{"tagStatus": "any", "maximumAgeLimit": 1}] * 2}},
            'more than one rule with the tagStatus "any"',
        ),
    ],
)
def test_a_repository_of_another_kind_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(LocalError, match=reason):
        repository.read("r", {**REPOSITORY, **changed})


def test_a_component_that_is_not_known_is_refused_by_its_type() -> None:
    with pytest.raises(LocalError, match=r"'web' is of type 'awsx:lb:ApplicationLoadBalancer', which .* does not know"):
        AwsxProvider().construct("web", "awsx:lb:ApplicationLoadBalancer", {})
