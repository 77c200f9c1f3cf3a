"""What all functions of a stack share: network, cluster, run ledger, and the runner images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
import pulumi_awsx as awsx

from overtime.components.archives import SOURCES
from overtime.components.network import Network, NetworkArgs
from overtime.components.run_ledger import RunLedger, RunLedgerArgs
from overtime.components.runner_image import RunnerImage, RunnerImageArgs, tag_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from overtime import settings

ImageKey = tuple[str, str]
"""Runtime and architecture, such as `("python3.13", "x86_64")`."""

_MOST_IMAGES = 50


@dataclass(frozen=True, kw_only=True)
class PlatformArgs:
    """Arguments of `Platform`."""

    network: settings.Network
    """Where tasks run."""
    retention: settings.Retention
    """How long runs are kept."""
    container_insights: bool
    """Whether CloudWatch collects metrics per task."""
    spot: bool
    """Whether any function's tasks run on Spot."""
    base_images: Mapping[ImageKey, str]
    """The base image of each runner image that the functions need."""
    python_image: str
    """Image from which the runner takes its own Python."""
    sources: str = str(SOURCES)
    """`archives.SOURCES` relative to the engine's working folder, which may differ from the program's; therefore the
    default is an absolute path. Use `.` if the engine works in that folder."""


class Platform(pulumi.ComponentResource):
    """The shared part of a stack; none of it is billed by the hour."""

    network: Network
    ledger: RunLedger
    cluster_arn: pulumi.Output[str]
    repository_arn: pulumi.Output[str]
    image_uris: Mapping[ImageKey, pulumi.Output[str]]
    region: pulumi.Output[str]
    ecs_arn_prefix: pulumi.Output[str]
    """`arn:<partition>:ecs:<region>:<account>`, the prefix of the ARNs of tasks and task definitions."""

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("overtime:index:Platform", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)

        self._locate()
        self.network = Network(f"{name}-network", NetworkArgs(network=args.network), child)
        ledger = RunLedgerArgs(runs_days=args.retention.runs_days, force_destroy=args.retention.force_destroy)
        self.ledger = RunLedger(f"{name}-ledger", ledger, child)
        self.cluster_arn = self._cluster(name, container_insights=args.container_insights, spot=args.spot)
        repository = self._repository(name, args.base_images)
        self.repository_arn = self._repository_arn(repository.url)
        self.image_uris = {
            key: self._image(name, key, base, repository, args) for key, base in args.base_images.items()
        }
        self.register_outputs({"cluster_arn": self.cluster_arn, "image_uris": list(self.image_uris.values())})

    def _locate(self) -> None:
        invoke = pulumi.InvokeOptions(parent=self)
        self.region = aws.get_region_output(opts=invoke).region
        self._account = aws.get_caller_identity_output(opts=invoke).account_id
        self._partition = aws.get_partition_output(opts=invoke).partition
        self.ecs_arn_prefix = self._arn_prefix("ecs")

    def _arn_prefix(self, service: str) -> pulumi.Output[str]:
        return pulumi.Output.format("arn:{0}:{1}:{2}:{3}", self._partition, service, self.region, self._account)

    def _cluster(self, name: str, *, container_insights: bool, spot: bool) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        insights = aws.ecs.ClusterSettingArgs(
            name="containerInsights", value="enabled" if container_insights else "disabled"
        )
        cluster = aws.ecs.Cluster(f"{name}-cluster", settings=[insights], opts=child)
        providers = aws.ecs.ClusterCapacityProviders(
            f"{name}-capacity",
            cluster_name=cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"] if spot else ["FARGATE"],
            opts=child,
        )
        # The ARN depends on the providers, because no task can start on Spot before they are attached.
        return pulumi.Output.all(cluster.arn, providers.cluster_name).apply(lambda known: str(known[0]))

    def _repository(self, name: str, kinds: Iterable[ImageKey]) -> awsx.ecr.Repository:
        # One rule per kind: however often the images of another kind change, the one in use does not expire.
        tagged = [
            awsx.ecr.LifecyclePolicyRuleArgs(
                description=f"keep the latest {_MOST_IMAGES} images for {' and '.join(kind)}",
                tag_status=awsx.ecr.LifecycleTagStatus.TAGGED,
                tag_prefix_list=[tag_prefix(*kind)],
                maximum_number_of_images=_MOST_IMAGES,
            )
            for kind in kinds
        ]
        untagged = awsx.ecr.LifecyclePolicyRuleArgs(
            description=f"keep the latest {_MOST_IMAGES} images whose tag moved to another image",
            tag_status=awsx.ecr.LifecycleTagStatus.UNTAGGED,
            maximum_number_of_images=_MOST_IMAGES,
        )
        return awsx.ecr.Repository(
            f"{name}-images",
            # Task definitions name digests, so immutable tags would protect nothing. They would break an `up` that
            # rebuilds the same sources, with other file modes or because their image was deleted.
            image_tag_mutability="MUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            lifecycle_policy=awsx.ecr.LifecyclePolicyArgs(rules=[*tagged, untagged]),
            force_delete=True,  # a missing image is rebuilt from the sources
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _repository_arn(self, url: pulumi.Output[str]) -> pulumi.Output[str]:
        path = url.apply(lambda found: found.partition("/")[2])
        return pulumi.Output.concat(self._arn_prefix("ecr"), ":repository/", path)

    def _image(
        self, name: str, key: ImageKey, base_image: str, repository: awsx.ecr.Repository, platform: PlatformArgs
    ) -> pulumi.Output[str]:
        runtime, architecture = key
        args = RunnerImageArgs(
            repository_url=repository.url,
            base_image=base_image,
            python_image=platform.python_image,
            runtime=runtime,
            architecture=architecture,
            sources=platform.sources,
        )
        noun = "-".join(key).replace(".", "-").replace("_", "-")
        return RunnerImage(f"{name}-runner-{noun}", args, pulumi.ResourceOptions(parent=self)).uri
