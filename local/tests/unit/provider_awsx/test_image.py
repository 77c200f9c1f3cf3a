"""The image resource without Docker: its inputs, its differences, its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from local.errors import LocalError
from local.provider import serving
from local.provider.docker_build import engine, inputs, provider, registry
from local.provider.docker_build.context import context_hash
from local.provider.docker_build.reference import InvalidTagError, Tag

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = f"sha256:{'0' * 64}"


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """Give the inputs that a runner image has."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return {
        "tags": ["127.0.0.1:4566/runners:v1"],
        "context": {"location": str(tmp_path)},
        "dockerfile": {"location": str(tmp_path / "Dockerfile")},
        "buildArgs": {"BASE_IMAGE": "base"},
        "platforms": ["linux/amd64"],
        "push": False,
        "exports": [{"registry": {"compression": "zstd", "forceCompression": True, "push": True}}],
        "registries": [{"address": "http://127.0.0.1:4566", "username": "AWS", "password": "hidden-token"}],
        "buildOnPreview": True,
        "network": "default",
    }


def wrapped(value: Any) -> PropertyValue:
    """Wrap a value as it reaches a plugin."""
    if isinstance(value, dict):
        return PropertyValue({key: wrapped(item) for key, item in value.items()})
    if isinstance(value, list):
        return PropertyValue([wrapped(item) for item in value])
    return PropertyValue(value)


def test_what_a_runner_image_passes_is_taken(given: dict[str, Any]) -> None:
    assert inputs.refusals(given) == {}


@pytest.mark.parametrize(
    ("changed", "name", "reason"),
    [
        ({"secrets": {"a": "b"}}, "secrets", "is not supported"),
        ({"ssh": []}, "ssh", "is not supported"),
        ({"tagz": []}, "tagz", "is not supported"),
        ({"noCache": True}, "noCache", "is True"),
        ({"network": "host"}, "network", "is 'host'"),
        ({"exports": []}, "exports", "is not one registry"),
        ({"exports": [{"registry": {"push": False}}]}, "exports", "is not one registry"),
        ({"exports": [{"docker": {}}]}, "exports", "is not one registry"),
        ({"push": True}, "push", "is True"),
        ({"tags": []}, "tags", "is empty"),
        ({"tags": ["library/runner:v1"]}, "tags", "does not name a registry's host"),
        ({"platforms": ["linux/amd64", "linux/arm64"]}, "platforms", "names several"),
        ({"context": {"location": "/no/such/folder"}}, "context", "not a folder"),
        ({"context": {"location": ".", "named": {}}}, "context", "further contexts"),
        ({"dockerfile": {"location": "/no/such/file"}}, "dockerfile", "not a file"),
        ({"dockerfile": {"inline": "FROM scratch"}}, "dockerfile", "given inline"),
        ({"cacheFrom": [{"local": {"src": "x"}}]}, "cacheFrom", "is not supported"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    given: dict[str, Any], changed: dict[str, Any], name: str, reason: str
) -> None:
    found = inputs.refusals({**given, **changed})
    assert list(found) == [name]
    assert reason in found[name]


def test_what_is_not_known_yet_is_not_refused(given: dict[str, Any]) -> None:
    assert inputs.refusals({**given, "tags": [UNKNOWN], "noCache": UNKNOWN, "context": {"location": UNKNOWN}}) == {}


def test_a_preview_knows_the_context_and_not_the_digest(given: dict[str, Any]) -> None:
    later = inputs.plain_map(provider.preview({key: wrapped(value) for key, value in given.items()}))
    assert (later["digest"], later["ref"]) == (UNKNOWN, UNKNOWN)
    assert len(str(later["contextHash"])) == 64


def test_a_preview_of_an_unknown_context_does_not_guess(given: dict[str, Any]) -> None:
    values = {key: wrapped(value) for key, value in {**given, "context": {"location": UNKNOWN}}.items()}
    assert inputs.plain_map(provider.preview(values))["contextHash"] == UNKNOWN


def test_the_same_inputs_are_no_change_though_the_password_is_another(given: dict[str, Any]) -> None:
    """A registry gives another password each time."""
    content = context_hash(*inputs.paths(given))
    [login] = given["registries"]
    new = {**given, "registries": [{**login, "password": "another"}]}
    assert provider.changes({**given, "contextHash": content, "digest": DIGEST, "ref": "r"}, new) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"buildArgs": {"BASE_IMAGE": "other"}}, ["buildArgs"]),
        ({"platforms": ["linux/arm64"]}, ["platforms"]),
        ({"target": "small"}, ["target"]),
        ({"tags": [UNKNOWN]}, ["tags"]),
        ({"registries": []}, ["registries"]),
    ],
)
def test_a_change_is_named(given: dict[str, Any], changed: dict[str, Any], expected: list[str]) -> None:
    content = context_hash(*inputs.paths(given))
    assert expected == provider.changes({**given, "contextHash": content}, {**given, **changed})


def test_a_changed_file_is_a_change(given: dict[str, Any], tmp_path: Path) -> None:
    content = context_hash(*inputs.paths(given))
    (tmp_path / "new.txt").write_text("new")
    assert provider.changes({**given, "contextHash": content}, given) == ["contextHash"]


def test_the_value_of_a_build_argument_is_not_in_the_command(given: dict[str, Any], tmp_path: Path) -> None:
    """Neither other processes nor our errors see it; Docker takes it from the environment."""
    image = inputs.parse({**given, "buildArgs": {"TOKEN": "hidden", "PATH": "/here"}, "target": "small"})
    command = engine.build_command(image, {"PATH": "/usr/bin"}, buildkit=False, bridge=True)
    assert command == [
        "docker",
        "build",
        "--tag=127.0.0.1:4566/runners:v1",
        "--build-arg=PATH=/here",  # the environment's own PATH must stay
        "--build-arg=TOKEN",
        "--platform=linux/amd64",
        "--target=small",
        f"--file={tmp_path / 'Dockerfile'}",
        str(tmp_path),
    ]


def test_with_buildkit_the_image_is_loaded_into_the_engine(given: dict[str, Any]) -> None:
    command = engine.build_command(inputs.parse(given), {}, buildkit=True, bridge=True)
    assert command[:5] == ["docker", "buildx", "build", "--load", "--provenance=false"]


def test_an_engine_without_a_bridge_builds_on_the_hosts_network(given: dict[str, Any]) -> None:
    command = engine.build_command(inputs.parse(given), {}, buildkit=False, bridge=False)
    assert "--network=host" in command


def test_credentials_are_for_the_registrys_host_and_are_not_printed(given: dict[str, Any]) -> None:
    image = inputs.parse(given)
    assert engine.credentials(image.registries) == {
        "auths": {"127.0.0.1:4566": {"auth": "QVdTOmhpZGRlbi10b2tlbg=="}},
    }
    assert "hidden-token" not in repr(image)


@pytest.mark.parametrize(
    ("name", "host", "repository", "tag"),
    [
        ("127.0.0.1:4566/a/b:v1", "127.0.0.1:4566", "a/b", "v1"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/r:t", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "r", "t"),
        ("localhost/r:t", "localhost", "r", "t"),
    ],
)
def test_a_tag_names_host_repository_and_tag(name: str, host: str, repository: str, tag: str) -> None:
    parsed = Tag.parse(name)
    assert parsed == Tag(host, repository, tag)
    assert str(parsed) == name
    assert parsed.at(DIGEST) == f"{host}/{repository}@{DIGEST}"


@pytest.mark.parametrize("name", ["runner", "runner:v1", "library/runner:v1", "127.0.0.1:4566/runner", "a.b/Upper:v1"])
def test_an_image_goes_to_no_registry_that_nobody_named(name: str) -> None:
    with pytest.raises(InvalidTagError, match=f"'{name}' does not name"):
        Tag.parse(name)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:4566", "http"),
        ("127.1.2.3:80", "http"),
        ("localhost:5000", "http"),
        ("localhost", "http"),
        ("registry.example:443", "https"),
        ("10.0.0.1:5000", "https"),
    ],
)
def test_plain_http_is_for_this_computer(host: str, expected: str) -> None:
    assert expected == registry.scheme(host)


def test_a_registry_that_does_not_answer_is_said() -> None:
    """Port 9 of this computer: nothing listens there, and nothing is sent anywhere else."""
    with pytest.raises(LocalError, match=r"The registry '127\.0\.0\.1:9' does not answer"):
        registry.has_image(Tag("127.0.0.1:9", "r", "t"), DIGEST, ())


def test_our_error_is_found_behind_what_the_sdk_makes_of_it() -> None:
    """The SDK raises another exception, with a stack trace in its text, while it handles ours."""
    ours = LocalError("what happened")
    wrapping = Exception("what happened:\n  File ...")
    wrapping.__context__ = ours
    assert serving.our_error(wrapping) is ours
    assert serving.our_error(ValueError("a bug")) is None
