"""The program's platform through the engine: the components of awsx on the stand-ins, the emulator and Docker."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pulumi
import pytest
from pulumi import automation

from overtime import settings
from overtime.components import runner_image
from overtime.components.platform import Platform, PlatformArgs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.tests.e2e.provider_awsx.conftest import Place

    NewStack = Callable[[Callable[[], None]], automation.Stack]

pytestmark = pytest.mark.e2e
RUNTIME = ("python3.11", "x86_64")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy what the runner's image is made of, so that a test can change it."""
    folder = tmp_path / "sources"
    copies = {name: folder / name for name in runner_image.image_files()}
    for name, file in runner_image.image_files().items():
        copies[name].parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copies[name])
    monkeypatch.setattr(runner_image, "image_files", lambda: copies)
    return folder


def program(place: Place, sources: Path, *, zones: int = 2) -> Callable[[], None]:
    """Give a program of nothing but the platform."""

    def build() -> None:
        args = PlatformArgs(
            network=settings.Network(availability_zones=zones),
            retention=settings.Retention(force_destroy=True),
            container_insights=False,
            spot=False,
            base_images={RUNTIME: place.base_image},
            python_image=place.base_image,
            sources=str(sources),
        )
        platform = Platform("main", args)
        pulumi.export("image", platform.image_uris[RUNTIME])
        pulumi.export("repository", platform.repository_arn)
        pulumi.export("subnets", platform.network.subnet_ids)

    return build


def test_the_platform_is_made_changed_and_removed(place: Place, new_stack: NewStack, sources: Path) -> None:
    """One stack's life; what it leaves behind is what it found."""
    before = ids(place)
    stack = new_stack(program(place, sources))
    assert operations(stack.preview()) == {automation.OpType.CREATE}
    assert ids(place) == before

    made = stack.up().outputs
    assert_reaches_the_internet(place, made["subnets"].value)
    first = str(made["image"].value)
    pull(place, first)
    assert operations(stack.preview()) == {automation.OpType.SAME}
    assert set(stack.up().summary.resource_changes or ()) == {"same"}

    with (sources / "runner" / "__main__.py").open("a") as file:
        file.write("# changed\n")
    second = str(stack.up().outputs["image"].value)
    assert second != first
    pull(place, second)
    # A comment in the recipe makes no other layer, but another tag: the digest must be another too.
    with (sources / "runner" / "Dockerfile").open("a") as file:
        file.write("# changed\n")
    third = str(stack.up().outputs["image"].value)
    pull(place, third)
    assert third != second
    # Another umask is another image, to which the tag moves.
    (sources / "runner" / "__main__.py").chmod(0o600)
    fourth = str(stack.up().outputs["image"].value)
    pull(place, fourth)
    repository = fourth.partition("/")[2].partition("@")[0]
    stored = place.ecr.describe_images(repositoryName=repository)["imageDetails"]
    # Each update leaves the image before it, which a task may still pull, to the repository's lifecycle policy.
    tagged = {image["imageDigest"]: bool(image.get("imageTags")) for image in stored}
    assert tagged == {each.partition("@")[2]: each != third for each in (first, second, third, fourth)}

    stack.destroy()
    assert ids(place) == before


def test_a_network_that_awsx_cannot_make_here_is_refused_at_preview(
    place: Place, new_stack: NewStack, sources: Path
) -> None:
    """More zones than the region has: the reason is said, before anything is made."""
    stack = new_stack(program(place, sources, zones=6))
    with pytest.raises(automation.CommandError, match="Fargate runs in 3 availability zones of eu-west-1"):
        stack.preview()


def operations(result: automation.PreviewResult) -> set[automation.OpType]:
    """Say what a preview would do."""
    return set(result.change_summary or ())


def ids(place: Place) -> dict[str, list[str]]:
    """List what the platform makes of a network and of repositories."""
    return {
        "vpcs": [vpc["VpcId"] for vpc in place.ec2.describe_vpcs()["Vpcs"]],
        "subnets": [subnet["SubnetId"] for subnet in place.ec2.describe_subnets()["Subnets"]],
        "gateways": [each["InternetGatewayId"] for each in place.ec2.describe_internet_gateways()["InternetGateways"]],
        "tables": [table["RouteTableId"] for table in place.ec2.describe_route_tables()["RouteTables"]],
        "repositories": [each["repositoryName"] for each in place.ecr.describe_repositories()["repositories"]],
    }


def assert_reaches_the_internet(place: Place, subnet_ids: list[str]) -> None:
    """Each subnet is in a zone of its own, gives public addresses, and has a route to the gateway."""
    subnets = place.ec2.describe_subnets(SubnetIds=subnet_ids)["Subnets"]
    assert sorted(subnet["CidrBlock"] for subnet in subnets) == ["10.42.0.0/19", "10.42.32.0/19"]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    assert all(subnet["MapPublicIpOnLaunch"] for subnet in subnets)
    gateways = {
        each["InternetGatewayId"]
        for each in place.ec2.describe_internet_gateways()["InternetGateways"]
        if any(attachment["VpcId"] == subnets[0]["VpcId"] for attachment in each["Attachments"])
    }
    for subnet in subnets:
        filters = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
        [table] = place.ec2.describe_route_tables(Filters=filters)["RouteTables"]  # type: ignore[arg-type]
        [route] = [route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
        assert route["GatewayId"] in gateways


def pull(place: Place, uri: str) -> None:
    """Take the image from the registry, not from what the build left in the container engine."""
    docker = ["docker", "--host", place.docker.host]
    found = subprocess.run([*docker, "image", "ls", "--quiet", uri], check=True, capture_output=True, text=True)
    subprocess.run([*docker, "image", "rm", "--force", *found.stdout.split()], check=True, capture_output=True)
    subprocess.run([*docker, "pull", uri], check=True, capture_output=True)
