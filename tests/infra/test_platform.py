from __future__ import annotations

import json
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

import pytest
from annotated_types import Le

from overtime.components import network
from overtime.components.archives import PACKAGE, SOURCES
from overtime.components.runner_image import DOCKERFILE, content_tag, image_files
from overtime.settings import Network
from tests.infra.recording import Answers, Secret

if TYPE_CHECKING:
    from pathlib import Path

    from pulumi.runtime.mocks import MockCallArgs

    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

SUBNETS = {"subnet_ids": ["subnet-0a", "subnet-0b"], "security_group_ids": ["sg-0a"]}


def test_own_network(deploy: Deploy, recorder: Recorder) -> None:
    """The VPC that is made has public subnets in the zones asked for, and nothing that costs by the hour."""
    deploy(network={"cidr": "10.9.0.0/16", "availability_zones": 3})

    assert recorder.inputs("Vpc", "overtime-network-vpc") == {
        "cidrBlock": "10.9.0.0/16",
        "availabilityZoneNames": ["eu-west-1a", "eu-west-1b", "eu-west-1c"],
        "availabilityZoneCidrMask": 19,
        "natGateways": {"strategy": "None"},
        "subnetSpecs": [{"type": "Public"}],
        "subnetStrategy": "Auto",
        "enableDnsHostnames": True,
    }


def test_one_more_zone_leaves_the_others_subnets_alone(deploy: Deploy, recorder: Recorder) -> None:
    """The zones' names and the size of their ranges do not depend on how many there are."""
    deploy(network={"availability_zones": 2})
    two = recorder.inputs("Vpc", "overtime-network-vpc")
    recorder.resources.clear()
    recorder.outputs.clear()
    deploy(network={"availability_zones": 3})
    three = recorder.inputs("Vpc", "overtime-network-vpc")

    assert three["availabilityZoneNames"][:2] == two["availabilityZoneNames"] == ["eu-west-1a", "eu-west-1b"]
    assert three["availabilityZoneCidrMask"] == two["availabilityZoneCidrMask"]


def test_every_zone_fits_into_the_smallest_network() -> None:
    """A /24 has room for the most zones that settings take, each with a subnet that AWS takes: /28 or larger."""
    [most] = [rule.le for rule in Network.model_fields["availability_zones"].metadata if isinstance(rule, Le)]
    mask = IPv4Network(Network(cidr="10.0.0.0/24").cidr).prefixlen + network._ZONE_BITS
    assert most <= 2**network._ZONE_BITS
    assert mask <= 28


def test_too_few_zones(deploy: Deploy) -> None:
    """A region with fewer zones is told with its zones and what would do; Local Zones do not count."""
    with pytest.raises(
        network.TooFewZonesError,
        match=r"availability_zones is 4, but Fargate runs in 3 availability zones of eu-west-1"
        r" \(eu-west-1a, eu-west-1b, eu-west-1c\)",
    ):
        deploy(network={"availability_zones": 4})


@pytest.mark.parametrize(
    "zones",
    [
        ("ap-northeast-1", {"a": "apne1-az4", "b": "apne1-az3", "c": "apne1-az1", "d": "apne1-az2"}, "acd"),
        ("cn-north-1", {"a": "cnn1-az3", "b": "cnn1-az2", "c": "cnn1-az1"}, "bc"),
        ("us-west-1", {"a": "usw1-az1", "b": "usw1-az2", "c": "usw1-az3"}, "ac"),
        ("us-west-1", {"a": "usw1-az4", "b": "usw1-az1", "c": "usw1-az3"}, "bc"),
        ("eu-west-1", {"a": "euw1-az3", "b": "euw1-az1", "c": "euw1-az2"}, "abc"),
    ],
    ids=["Tokyo", "Beijing", "N. California", "a zone to come", "all of them"],
)
def test_zones_where_fargate_does_not_run(
    zones: tuple[str, dict[str, str], str], deploy: Deploy, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a region has zones without Fargate, only those that AWS names are taken, and none that comes later."""
    asked = []
    answer = Answers.call
    region, ids, expected = zones

    def call(self: Answers, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        if not args.token.endswith(":getAvailabilityZones"):
            return answer(self, args)
        asked.append(args.args["state"])
        names = [f"{region}{letter}" for letter in ids]
        return {"region": region, "names": names, "zoneIds": list(ids.values())}, []

    monkeypatch.setattr(Answers, "call", call)
    deploy(network={"availability_zones": len(expected)})
    found = recorder.inputs("Vpc", "overtime-network-vpc")["availabilityZoneNames"]
    assert found == [f"{region}{letter}" for letter in expected]
    assert asked == ["available"]


def test_nothing_may_connect_to_a_task(deploy: Deploy, recorder: Recorder) -> None:
    """The security group lets tasks call out; there is no rule that lets anything in."""
    deploy()

    group = recorder.inputs("SecurityGroup", "overtime-network-tasks")
    assert group == {"vpcId": "overtime-network-vpc-0a1b2c3-id", "description": group["description"]}
    assert recorder.inputs("SecurityGroupEgressRule", "overtime-network-out") == {
        "securityGroupId": "overtime-network-tasks-0a1b2c3-id",
        "cidrIpv4": "0.0.0.0/0",
        "ipProtocol": "-1",
    }
    assert recorder.all("SecurityGroupIngressRule") == []


def network_of_tasks(recorder: Recorder) -> dict[str, object]:
    """Return the network configuration with which the dispatcher starts tasks."""
    variables = recorder.inputs("Function", "report-dispatcher-function")["environment"]["variables"]
    found: dict[str, object] = json.loads(variables["OVERTIME_RUN_TASK"])["networkConfiguration"]["awsvpcConfiguration"]
    return found


@pytest.mark.parametrize(("network", "public"), [({}, "ENABLED"), ({"assign_public_ip": False}, "DISABLED")])
def test_public_address(network: dict[str, object], public: str, deploy: Deploy, recorder: Recorder) -> None:
    """In the VPC that is made tasks get a public address, their only way out, unless settings say otherwise."""
    deploy(network=network)

    assert network_of_tasks(recorder)["assignPublicIp"] == public


@pytest.mark.parametrize(("more", "public"), [({}, "DISABLED"), ({"assign_public_ip": True}, "ENABLED")])
def test_given_subnets(more: dict[str, object], public: str, deploy: Deploy, recorder: Recorder) -> None:
    """With subnets given no network is made at all, and tasks go where the settings say."""
    deploy(network=SUBNETS | more)

    assert recorder.all("Vpc") + recorder.all("SecurityGroup") + recorder.all("SecurityGroupEgressRule") == []
    assert network_of_tasks(recorder) == {
        "subnets": ["subnet-0a", "subnet-0b"],
        "securityGroups": ["sg-0a"],
        "assignPublicIp": public,
    }


@pytest.mark.parametrize(("switch", "value"), [(False, "disabled"), (True, "enabled")])
def test_container_insights(switch: bool, value: str, deploy: Deploy, recorder: Recorder) -> None:  # noqa: FBT001 - a parameter of pytest's
    """Metrics per task are a setting."""
    deploy(cluster={"container_insights": switch})

    settings = recorder.inputs("Cluster", "overtime-cluster")["settings"]
    assert settings == [{"name": "containerInsights", "value": value}]


@pytest.mark.parametrize(
    ("capacities", "providers"),
    [(["on_demand"], ["FARGATE"]), (["on_demand", "spot"], ["FARGATE", "FARGATE_SPOT"])],
)
def test_capacity(capacities: list[str], providers: list[str], deploy: Deploy, recorder: Recorder) -> None:
    """Spot is there where any function asks for it, and only there: not every region has it."""
    deploy({f"f{number}": {"task": {"capacity": capacity}} for number, capacity in enumerate(capacities)})

    assert recorder.inputs("ClusterCapacityProviders", "overtime-capacity") == {
        "clusterName": "overtime-cluster-0a1b2c3",
        "capacityProviders": providers,
    }


def test_table(deploy: Deploy, recorder: Recorder) -> None:
    """States are paid per request, encrypted, recoverable, expire, and those of open runs are found at once."""
    deploy()

    assert recorder.inputs("Table", "overtime-ledger-runs") == {
        "billingMode": "PAY_PER_REQUEST",
        "hashKey": "run_key",
        "attributes": [{"name": "run_key", "type": "S"}, {"name": "open", "type": "S"}],
        "globalSecondaryIndexes": [
            {
                "name": "open",
                "keySchemas": [{"attributeName": "open", "keyType": "HASH"}],
                "projectionType": "KEYS_ONLY",
            }
        ],
        "ttl": {"attributeName": "expires_at", "enabled": True},
        "pointInTimeRecovery": {"enabled": True},
        "serverSideEncryption": {"enabled": False},  # by a key that AWS owns and nobody pays for
        "deletionProtectionEnabled": True,
    }


def test_bucket(deploy: Deploy, recorder: Recorder) -> None:
    """Events and results are encrypted, private, reached over TLS only, and expire with their runs."""
    outputs = deploy(retention={"runs_days": 40, "force_destroy": True})
    bucket = outputs["ledger_bucket"]

    assert recorder.inputs("Bucket", "overtime-ledger-objects") == {"forceDestroy": True}
    encryption = recorder.inputs("BucketServerSideEncryptionConfiguration", "overtime-ledger-encryption")
    assert encryption == {
        "bucket": bucket,
        "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}],
    }
    assert recorder.inputs("BucketPublicAccessBlock", "overtime-ledger-private") == {
        "bucket": bucket,
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }
    [rule] = recorder.inputs("BucketLifecycleConfiguration", "overtime-ledger-expiry")["rules"]
    assert (rule["status"], rule["expiration"], rule["filter"]) == ("Enabled", {"days": 40}, {"prefix": ""})
    policy = recorder.inputs("BucketPolicy", "overtime-ledger-tls-only")
    assert policy["bucket"] == bucket
    assert json.loads(policy["policy"])["Statement"] == [
        {
            "Sid": "EncryptedTransportOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


def test_bucket_is_sealed_step_by_step(deploy: Deploy, recorder: Recorder) -> None:
    """The policy waits for the public access block: S3 refuses both at the same time."""
    deploy()

    before = recorder.one("BucketPolicy", "overtime-ledger-tls-only").after
    assert [urn for urn in before if urn.endswith("::overtime-ledger-private")]


def test_what_a_run_may_still_need_is_kept(deploy: Deploy, recorder: Recorder) -> None:
    """A message may wait for 14 days and a task work for 14 more, however short runs are to be kept."""
    deploy(retention={"runs_days": 15})

    [rule] = recorder.inputs("BucketLifecycleConfiguration", "overtime-ledger-expiry")["rules"]
    assert rule["expiration"] == {"days": 28}


def test_stored_runs_may_be_deleted_where_settings_say_so(deploy: Deploy, recorder: Recorder) -> None:
    """The one setting covers states, events and results."""
    deploy(retention={"force_destroy": True})

    assert recorder.inputs("Table", "overtime-ledger-runs")["deletionProtectionEnabled"] is False


def test_stored_runs_survive_by_default(deploy: Deploy, recorder: Recorder) -> None:
    """Unless settings allow it, destroy stops at the table, and at a bucket with events and results in it."""
    deploy()

    assert recorder.inputs("Table", "overtime-ledger-runs")["deletionProtectionEnabled"] is True
    assert recorder.inputs("Bucket", "overtime-ledger-objects") == {"forceDestroy": False}


def test_repository(deploy: Deploy, recorder: Recorder) -> None:
    """A tag may go to another image, images are scanned, old ones go, and the repository goes with the stack."""
    deploy()

    inputs = recorder.inputs("Repository", "overtime-images")
    del inputs["lifecyclePolicy"]
    assert inputs == {
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "forceDelete": True,
    }


def test_old_images_go_by_kind(deploy: Deploy, recorder: Recorder) -> None:
    """However often one kind of image changes, or loses its tags, that of another, which is in use, is not expired."""
    deploy({"a": {"runtime": "python3.12"}, "b": {}, "c": {}, "d": {"architecture": "arm64"}})

    *tagged, untagged = recorder.inputs("Repository", "overtime-images")["lifecyclePolicy"]["rules"]
    kinds = [
        (each["tagStatus"], *each["tagPrefixList"], each["maximumNumberOfImages"])
        for each in sorted(tagged, key=lambda rule: str(rule["tagPrefixList"]))
    ]
    assert kinds == [
        ("tagged", "python3.12-x86_64-", 50),
        ("tagged", "python3.13-arm64-", 50),
        ("tagged", "python3.13-x86_64-", 50),
    ]
    del untagged["description"]
    assert untagged == {"tagStatus": "untagged", "maximumNumberOfImages": 50}
    tags = [each.inputs["tags"][0].rpartition(":")[2] for each in recorder.all("index:Image")]
    assert sorted(tag.rpartition("-")[0] + "-" for tag in tags) == [prefix for _, prefix, _ in kinds]


PYTHON_IMAGE = "public.ecr.aws/lambda/python:3.13"


def test_image(deploy: Deploy, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The runner image is built on the base image of the function's version, and from our sources wherever one is.

    So a program of one's own, which has its own folder, need not say where they are.
    """
    monkeypatch.chdir(tmp_path)
    deploy({"report": {"runtime": "python3.12"}})

    image = recorder.inputs("index:Image", "overtime-runner-python3-12-x86-64-image")
    tag = "python3.12-x86_64-" + content_tag("public.ecr.aws/lambda/python:3.12", PYTHON_IMAGE, "x86_64")
    reference = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/overtime-images-0a1b2c3:{tag}"
    assert image == {
        "tags": [reference],
        "context": {"location": str(SOURCES)},
        "dockerfile": {"location": str(SOURCES / "runner" / "Dockerfile")},
        "buildArgs": {
            "BASE_IMAGE": "public.ecr.aws/lambda/python:3.12",
            "PYTHON_IMAGE": PYTHON_IMAGE,
            "RUNTIME": "python3.12",
            "PACKAGE": "overtime",
        },
        "platforms": ["linux/amd64"],
        "push": False,
        "buildOnPreview": False,
        "network": "default",
        "exports": [
            {
                "registry": {
                    "compression": "zstd",
                    "compressionLevel": 9,
                    "forceCompression": True,
                    "ociMediaTypes": True,
                    "push": True,
                    "store": True,
                }
            }
        ],
        "registries": Secret(
            [
                {
                    "address": "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com",
                    "username": "AWS",
                    "password": "hidden-token",
                }
            ]
        ),
    }


def test_base_image_of_a_mirror(deploy: Deploy, recorder: Recorder) -> None:
    """The base image of a version can be somebody's own, and so can the image that the runner's Python comes from."""
    mirrored = {"python3.13": "registry.example.com/python:3.13"}
    deploy(image={"base_images": mirrored, "python_image": "registry.example.com/python:3"})

    image = recorder.inputs("index:Image", "overtime-runner-python3-13-x86-64-image")
    assert image["buildArgs"]["BASE_IMAGE"] == "registry.example.com/python:3.13"
    assert image["buildArgs"]["PYTHON_IMAGE"] == "registry.example.com/python:3"


def test_an_image_for_each_version_and_architecture(deploy: Deploy, recorder: Recorder) -> None:
    """Functions of one version and architecture share an image; nothing is built that no function uses."""
    outputs = deploy(
        {
            "a1": {},
            "a2": {},
            "b": {"runtime": "python3.12"},
            "c": {"architecture": "arm64"},
        }
    )

    assert sorted(outputs["image_uris"]) == ["python3.12/x86_64", "python3.13/arm64", "python3.13/x86_64"]
    assert len(recorder.all("index:Image")) == 3
    assert len(set(outputs["image_uris"].values())) == 3


def test_tag_of_the_content() -> None:
    """Another base image, Python or architecture is another tag; the same content has the same."""
    tag = content_tag("base", "python", "arm64")
    assert tag == content_tag("base", "python", "arm64")
    others = [("base", "python", "x86_64"), ("other", "python", "arm64"), ("base", "other", "arm64")]
    assert len({tag, *(content_tag(*each) for each in others)}) == 4


def test_tag_follows_every_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A change of any file of the image, or of its recipe, is another tag."""
    copies = {name: tmp_path / name for name in image_files()}
    for name, file in image_files().items():
        copies[name].parent.mkdir(parents=True, exist_ok=True)
        copies[name].write_bytes(file.read_bytes())
    monkeypatch.setattr("overtime.components.runner_image.image_files", lambda: copies)
    before = content_tag("base", "python", "arm64")

    for name, file in copies.items():
        content = file.read_bytes()
        file.write_bytes(content + b"\n")
        assert content_tag("base", "python", "arm64") != before, name
        file.write_bytes(content)
    assert content_tag("base", "python", "arm64") == before


def test_tag_covers_what_is_copied() -> None:
    """Every file that the Dockerfile copies is one whose change changes the tag."""
    listed = set(image_files())
    assert DOCKERFILE in listed
    lines = (SOURCES / DOCKERFILE).read_text().replace("\\\n", " ").splitlines()
    copied = [
        word.replace("${PACKAGE}", PACKAGE.name)
        for line in lines
        if line.startswith("COPY ") and "--from=" not in line
        for word in line.split()[1:-1]
    ]
    assert copied
    for pattern in copied:
        files = {file.relative_to(SOURCES).as_posix() for file in SOURCES.glob(pattern)}
        assert files
        assert files <= listed
