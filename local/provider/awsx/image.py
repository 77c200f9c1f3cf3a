"""`awsx:ecr:Image`: an image in a repository, built by the plugin docker-build."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import pulumi
import pulumi_aws as aws
import pulumi_docker_build as docker_build

from local.provider.awsx import given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KNOWN = ("repositoryUrl", "registryId", "imageTag", "context", "dockerfile", "args", "platform", "target")


class Image(pulumi.ComponentResource):
    """An image, named by its digest."""

    TYPE = "awsx:ecr:Image"

    def __init__(self, name: str, inputs: pulumi.Inputs, opts: pulumi.ResourceOptions | None) -> None:
        tag = read_tag(name, inputs)
        super().__init__(self.TYPE, name, {}, opts)
        url: pulumi.Output[str] = pulumi.Output.from_input(inputs["repositoryUrl"])
        reference = pulumi.Output.format("{0}:{1}", url, tag)
        dockerfile = inputs.get("dockerfile")
        image = docker_build.Image(
            tag,
            tags=[reference],
            build_args=inputs.get("args"),
            cache_from=[docker_build.CacheFromArgs(registry=docker_build.CacheFromRegistryArgs(ref=reference))],
            cache_to=[{"inline": {}}],
            context=docker_build.BuildContextArgs(location=inputs.get("context") or "."),
            dockerfile=docker_build.DockerfileArgs(location=dockerfile) if dockerfile is not None else None,
            platforms=cast("Sequence[docker_build.Platform]", [inputs["platform"]] if inputs.get("platform") else []),
            target=inputs.get("target"),
            push=True,
            registries=[self._login(url, inputs)],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.state: Mapping[str, pulumi.Input[object]] = {
            "imageUri": pulumi.Output.format("{0}@{1}", url, image.digest)
        }
        self.register_outputs(dict(self.state))

    def _login(self, url: pulumi.Output[str], inputs: pulumi.Inputs) -> docker_build.RegistryArgs:
        token = aws.ecr.get_authorization_token_output(
            registry_id=inputs.get("registryId") or url.apply(account), opts=pulumi.InvokeOptions(parent=self)
        )
        return docker_build.RegistryArgs(
            address=token.proxy_endpoint, username=token.user_name, password=pulumi.Output.secret(token.password)
        )


def read_tag(name: str, inputs: pulumi.Inputs) -> str:
    """Read the image's tag, which names the child too.

    Raises:
        UnsupportedInputError: there is none, or an input is not supported.

    """
    problems = given.unknown_names(inputs, KNOWN)
    tag = given.plain(inputs, "imageTag")
    if not tag:
        problems["imageTag"] = "is missing; the local stand-in makes up none"
    given.refuse("Image", name, problems)
    return str(tag)


def account(repository_url: str) -> str | None:
    """Take the account out of a repository's URL on AWS; elsewhere the caller's own is meant."""
    found = re.match(r"(?:https://)?(\d{12})\.dkr[.-]ecr\.", repository_url)
    return found[1] if found else None
