"""An image through the engine, the stand-in of docker-build, a container engine and the emulator's registry."""

from __future__ import annotations

import subprocess
import uuid
from typing import TYPE_CHECKING

import pulumi
import pulumi_docker_build as docker_build
import pytest
from pulumi import automation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.tests.e2e.provider_awsx.conftest import Place

    NewStack = Callable[[Callable[[], None]], automation.Stack]

pytestmark = pytest.mark.e2e


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Make a context: a file that is copied, and one that .dockerignore leaves out.

    The image differs from run to run: two runs that share an engine must not share (and remove) an image.
    """
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nLABEL run={uuid.uuid4()}\n"
        "COPY told.txt /\nRUN cat /told.txt > /made.txt\n"
        'ENTRYPOINT ["cat", "/made.txt"]\n'
    )
    (folder / ".dockerignore").write_text("*\n!told.txt\n")
    (folder / "told.txt").write_text("one")
    (folder / "unseen.txt").write_text("one")
    return folder


@pytest.fixture
def repository(place: Place) -> Iterator[str]:
    """Make a repository, and give its URL."""
    yield place.ecr.create_repository(repositoryName="runners/test")["repository"]["repositoryUri"]
    place.ecr.delete_repository(repositoryName="runners/test", force=True)


def docker(place: Place, *arguments: str) -> str:
    command = ["docker", "--host", place.docker.host, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def names_in_engine(place: Place, repository: str) -> list[str]:
    """List the names that the container engine has for the repository's images."""
    listed = docker(place, "image", "ls", "--all", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}")
    return [line for line in listed.splitlines() if line.startswith(repository)]


def program(
    place: Place, repository: str, sources: Path, *, secrets: dict[str, str] | None = None, no_cache: bool = False
) -> Callable[[], None]:
    """Give a program of one image."""

    def build() -> None:
        login = docker_build.RegistryArgs(address=place.emulator.endpoint, username="AWS", password="secret-token")
        image = docker_build.Image(
            "image",
            tags=[f"{repository}:v1"],
            build_args={"BASE_IMAGE": place.base_image},
            context=docker_build.BuildContextArgs(location=str(sources)),
            platforms=[docker_build.Platform.LINUX_AMD64],
            push=False,
            exports=[docker_build.ExportArgs(registry=docker_build.ExportRegistryArgs())],
            registries=[login],
            secrets=secrets,
            no_cache=no_cache,
        )
        pulumi.export("digest", image.digest)
        pulumi.export("ref", image.ref)

    return build


def test_an_image_is_built_pushed_rebuilt_on_change_and_removed(
    place: Place, new_stack: NewStack, repository: str, sources: Path
) -> None:
    """A preview builds nothing; the digest is pullable; nothing changes twice; a file's change is seen; all goes."""
    stack = new_stack(program(place, repository, sources))

    stack.preview()
    assert place.ecr.describe_images(repositoryName="runners/test")["imageDetails"] == []
    assert names_in_engine(place, repository) == []

    first = stack.up().outputs
    digest = first["digest"].value
    assert f"{repository}:v1@{digest}" == first["ref"].value
    [pushed] = place.ecr.describe_images(repositoryName="runners/test")["imageDetails"]
    assert (digest, ["v1"]) == (pushed["imageDigest"], pushed["imageTags"])
    docker(place, "image", "rm", f"{repository}:v1")
    docker(place, "pull", f"{repository}@{digest}")
    assert docker(place, "run", "--rm", "--network=host", f"{repository}@{digest}") == "one"

    (sources / "unseen.txt").write_text("two")
    again = stack.up()
    assert again.summary.resource_changes == {"same": 2}

    (sources / "told.txt").write_text("two")
    assert stack.preview().change_summary == {automation.OpType.SAME: 1, automation.OpType.UPDATE: 1}
    second = stack.up().outputs["digest"].value
    assert second != digest
    assert docker(place, "run", "--rm", "--network=host", f"{repository}@{second}") == "two"
    assert [name.split()[1:] for name in names_in_engine(place, repository)] == [["v1", second]]

    stack.destroy()
    left = [image["imageDigest"] for image in place.ecr.describe_images(repositoryName="runners/test")["imageDetails"]]
    # As on AWS: an update leaves the image before it to the repository's lifecycle policy.
    assert left == [digest]
    assert names_in_engine(place, repository) == []


def test_an_image_that_went_missing_is_made_again_after_a_refresh(
    place: Place, new_stack: NewStack, repository: str, sources: Path
) -> None:
    """The registry is asked, not the state."""
    stack = new_stack(program(place, repository, sources))
    digest = stack.up().outputs["digest"].value
    assert stack.refresh().summary.resource_changes == {"same": 2}

    place.ecr.batch_delete_image(repositoryName="runners/test", imageIds=[{"imageDigest": digest}])
    stack.refresh()

    assert stack.up().outputs["digest"].value == digest
    assert len(place.ecr.describe_images(repositoryName="runners/test")["imageDetails"]) == 1


def test_a_build_that_fails_ends_with_what_docker_said(
    place: Place, new_stack: NewStack, repository: str, sources: Path
) -> None:
    """The reason is in the error; the password, and a stack trace of ours, are not."""
    with (sources / "Dockerfile").open("a") as file:
        file.write("RUN echo the reason is here >&2 && exit 7\n")
    stack = new_stack(program(place, repository, sources))

    with pytest.raises(automation.CommandError, match="the reason is here") as failed:
        stack.up()

    assert "could not be built" in str(failed.value)
    assert "secret-token" not in str(failed.value)
    assert "Traceback" not in str(failed.value)
    assert "provider.py" not in str(failed.value)


def test_an_input_that_is_not_supported_is_refused_by_name(
    place: Place, new_stack: NewStack, repository: str, sources: Path
) -> None:
    """Nothing is built without what the program asked for."""
    stack = new_stack(program(place, repository, sources, secrets={"token": "hidden-value"}, no_cache=True))

    with pytest.raises(automation.CommandError, match="secrets is not supported") as failed:
        stack.preview()

    assert "noCache is True" in str(failed.value)
    assert "hidden-value" not in str(failed.value)
