"""ECS clusters and task definitions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.provider.aws import documents
from local.provider.aws.resources.shapes import present, retag, tag_list, tags_of
from local.provider.aws.schema import (
    Change,
    Naming,
    ResourceType,
    block,
    integer,
    json_text,
    mapping,
    text,
    unordered,
)
from local.provider.aws.session import refused_with, unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_NO_CLUSTER = "ClusterNotFoundException"
_IN_USE = refused_with(
    "ClusterContainsTasksException",
    "ClusterContainsServicesException",
    "ClusterContainsContainerInstancesException",
    "UpdateInProgressException",
)
_NO_DEFINITION = "ClientException"
_PAIR = ("key", "value")
_EFS_VOLUME = block(
    fields={
        "fileSystemId": text(required=True),
        "transitEncryption": text(),
        "authorizationConfig": block(fields={"accessPointId": text(), "iam": text()}),
    }
)


def _create_cluster(aws: Aws, given: Values) -> str:
    shape = present(clusterName=given["name"], settings=given["settings"], tags=tag_list(given["tags"], *_PAIR) or None)
    return aws.ecs.create_cluster(**shape)["cluster"]["clusterArn"]


def _read_cluster(aws: Aws, arn: str, _known: Values) -> Values | None:
    found = aws.ecs.describe_clusters(clusters=[arn], include=["SETTINGS", "TAGS"])["clusters"]
    active = [cluster for cluster in found if cluster.get("status") != "INACTIVE"]
    if not active:
        return None
    return {
        "name": active[0]["clusterName"],
        "settings": [{"name": each["name"], "value": each["value"]} for each in active[0].get("settings", [])],
        "tags": tags_of(active[0].get("tags", []), *_PAIR),
        "arn": active[0]["clusterArn"],
    }


def _update_cluster(aws: Aws, change: Change) -> None:
    if change.has("settings"):
        settings = change.new["settings"] or [{"name": "containerInsights", "value": "disabled"}]
        aws.ecs.update_cluster_settings(cluster=change.id, settings=settings)
    _retag(aws, change.id, change)


def _retag(aws: Aws, arn: str, change: Change) -> None:
    retag(
        change,
        put=lambda tags: aws.ecs.tag_resource(resourceArn=arn, tags=tag_list(tags, *_PAIR)),
        remove=lambda names: aws.ecs.untag_resource(resourceArn=arn, tagKeys=names),
    )


def _delete_cluster(aws: Aws, arn: str, _known: Values) -> None:
    # Tasks that have just been stopped are still in it for a while.
    unless_gone(lambda: aws.when(lambda: aws.ecs.delete_cluster(cluster=arn), _IN_USE), _NO_CLUSTER)


CLUSTER = ResourceType(
    token="aws:ecs/cluster:Cluster",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "settings": unordered(block(fields={"name": text(required=True), "value": text(required=True)}), computed=True),
        "tags": mapping(),
    },
    outputs={"arn": ()},
    identity=("name",),
    naming=Naming(longest=255),
    create=_create_cluster,
    read=_read_cluster,
    update=_update_cluster,
    delete=_delete_cluster,
)


def _volume(given: Values) -> Values:
    """Give a volume as the API has it, in whose names the provider's are written, too."""
    efs = given.get("efsVolumeConfiguration")
    if not efs:
        return {"name": given["name"]}
    rights = efs.get("authorizationConfig") or {}
    known = present(
        fileSystemId=efs["fileSystemId"],
        transitEncryption=efs.get("transitEncryption"),
        authorizationConfig=present(accessPointId=rights.get("accessPointId"), iam=rights.get("iam")) or None,
    )
    return {"name": given["name"], "efsVolumeConfiguration": known}


def _register(aws: Aws, given: Values) -> str:
    platform, storage = given["runtimePlatform"], given["ephemeralStorage"]
    shape = present(
        family=given["family"],
        containerDefinitions=json.loads(given["containerDefinitions"]),
        cpu=given["cpu"],
        memory=given["memory"],
        networkMode=given["networkMode"],
        requiresCompatibilities=given["requiresCompatibilities"],
        runtimePlatform=present(**platform) if platform else None,
        ephemeralStorage={"sizeInGiB": storage["sizeInGib"]} if storage else None,
        executionRoleArn=given["executionRoleArn"],
        taskRoleArn=given["taskRoleArn"],
        volumes=[_volume(volume) for volume in given["volumes"] or []] or None,
        tags=tag_list(given["tags"], *_PAIR) or None,
    )
    return aws.ecs.register_task_definition(**shape)["taskDefinition"]["family"]


def _read_definition(aws: Aws, family: str, known: Values) -> Values | None:
    # The family alone would be its newest revision, which somebody else may have made.
    name = known.get("arn") or family
    found = unless_gone(lambda: aws.ecs.describe_task_definition(taskDefinition=name, include=["TAGS"]), _NO_DEFINITION)
    if found is None or found["taskDefinition"].get("status") == "INACTIVE":
        return None
    definition = found["taskDefinition"]
    arn = definition["taskDefinitionArn"]
    storage = definition.get("ephemeralStorage")
    return {
        "family": definition["family"],
        "containerDefinitions": json.dumps(definition["containerDefinitions"], sort_keys=True),
        "cpu": definition.get("cpu"),
        "memory": definition.get("memory"),
        "networkMode": definition.get("networkMode"),
        "requiresCompatibilities": definition.get("requiresCompatibilities"),
        "runtimePlatform": dict(definition.get("runtimePlatform") or {}),
        "ephemeralStorage": {"sizeInGib": storage["sizeInGiB"]} if storage else None,
        "executionRoleArn": definition.get("executionRoleArn"),
        "taskRoleArn": definition.get("taskRoleArn"),
        "volumes": [_volume(dict(volume)) for volume in definition.get("volumes", [])],
        "tags": tags_of(found.get("tags", []), *_PAIR),
        "arn": arn,
        "arnWithoutRevision": arn.rpartition(":")[0],
        "revision": definition["revision"],
    }


def _update_definition(aws: Aws, change: Change) -> None:
    _retag(aws, change.outputs["arn"], change)


def _deregister(aws: Aws, family: str, known: Values) -> None:
    name = known.get("arn") or family
    unless_gone(lambda: aws.ecs.deregister_task_definition(taskDefinition=name), _NO_DEFINITION)


TASK_DEFINITION = ResourceType(
    token="aws:ecs/taskDefinition:TaskDefinition",  # noqa: S106
    properties={
        "family": text(required=True, replaces=True),
        "containerDefinitions": json_text(required=True, replaces=True, alike=documents.container_definitions),
        "cpu": text(replaces=True),
        "memory": text(replaces=True),
        "networkMode": text(replaces=True, computed=True),
        "requiresCompatibilities": unordered(text(), replaces=True),
        "runtimePlatform": block(fields={"operatingSystemFamily": text(), "cpuArchitecture": text()}, replaces=True),
        "ephemeralStorage": block(fields={"sizeInGib": integer(required=True)}, replaces=True),
        "executionRoleArn": text(replaces=True),
        "taskRoleArn": text(replaces=True),
        "volumes": unordered(
            block(fields={"name": text(required=True), "efsVolumeConfiguration": _EFS_VOLUME}), replaces=True
        ),
        "tags": mapping(),
    },
    outputs={"arn": (), "arnWithoutRevision": (), "revision": ()},
    # No identity: revisions of one family stand side by side.
    create=_register,
    read=_read_definition,
    update=_update_definition,
    delete=_deregister,
)
