"""ECR repositories and their lifecycle policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.shapes import present, retag, tag_list, tags_of
from local.provider.aws.schema import Change, Naming, ResourceType, block, flag, json_text, listed, mapping, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_GONE = "RepositoryNotFoundException"
_NO_POLICY = "LifecyclePolicyNotFoundException"


def _create(aws: Aws, given: Values) -> str:
    encryption = [
        present(encryptionType=each["encryptionType"], kmsKey=each["kmsKey"])
        for each in given["encryptionConfigurations"] or []
    ]
    shape = present(
        repositoryName=given["name"],
        imageTagMutability=given["imageTagMutability"],
        imageScanningConfiguration=_scanning(given),
        encryptionConfiguration=encryption[0] if encryption else None,
        tags=tag_list(given["tags"]) or None,
    )
    return aws.ecr.create_repository(**shape)["repository"]["repositoryName"]


def _scanning(given: Values) -> dict[str, bool]:
    return {"scanOnPush": bool(given["imageScanningConfiguration"]["scanOnPush"])}


def _read(aws: Aws, name: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.ecr.describe_repositories(repositoryNames=[name]), _GONE)
    if found is None:
        return None
    repository = found["repositories"][0]
    encryption = repository.get("encryptionConfiguration", {})
    return {
        "name": name,
        "imageTagMutability": repository.get("imageTagMutability"),
        "imageScanningConfiguration": dict(repository.get("imageScanningConfiguration", {})),
        "encryptionConfigurations": [
            present(encryptionType=encryption.get("encryptionType", "AES256"), kmsKey=encryption.get("kmsKey"))
        ],
        "tags": tags_of(aws.ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]),
        "arn": repository["repositoryArn"],
        "registryId": repository["registryId"],
        "repositoryUrl": repository["repositoryUri"],
    }


def _update(aws: Aws, change: Change) -> None:
    name, new, arn = change.id, change.new, change.outputs["arn"]
    if change.has("imageTagMutability"):
        aws.ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability=new["imageTagMutability"])
    if change.has("imageScanningConfiguration"):
        configuration = _scanning(new)
        aws.ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration=configuration)  # type: ignore[arg-type]
    retag(
        change,
        put=lambda tags: aws.ecr.tag_resource(resourceArn=arn, tags=tag_list(tags)),
        remove=lambda names: aws.ecr.untag_resource(resourceArn=arn, tagKeys=names),
    )


def _delete(aws: Aws, name: str, known: Values) -> None:
    force = bool(known.get("forceDelete"))
    unless_gone(lambda: aws.ecr.delete_repository(repositoryName=name, force=force), _GONE)


REPOSITORY = ResourceType(
    token="aws:ecr/repository:Repository",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "encryptionConfigurations": listed(
            block(fields={"encryptionType": text(default="AES256"), "kmsKey": text()}),
            replaces=True,
            default=[{"encryptionType": "AES256"}],
        ),
        "forceDelete": flag(default=False, told=False),
        "imageScanningConfiguration": block(fields={"scanOnPush": flag(required=True)}, default={"scanOnPush": False}),
        "imageTagMutability": text(default="MUTABLE", choices=("MUTABLE", "IMMUTABLE")),
        "tags": mapping(),
    },
    outputs={"arn": (), "registryId": (), "repositoryUrl": ()},
    identity=("name",),
    naming=Naming(longest=256, lower=True),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)


def _put_policy(aws: Aws, given: Values) -> str:
    aws.ecr.put_lifecycle_policy(repositoryName=given["repository"], lifecyclePolicyText=given["policy"])
    return str(given["repository"])


def _read_policy(aws: Aws, repository: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.ecr.get_lifecycle_policy(repositoryName=repository), _GONE, _NO_POLICY)
    if found is None:
        return None
    return {
        "repository": repository,
        "policy": found["lifecyclePolicyText"],
        "registryId": found["registryId"],
    }


def _delete_policy(aws: Aws, repository: str, _known: Values) -> None:
    unless_gone(lambda: aws.ecr.delete_lifecycle_policy(repositoryName=repository), _GONE, _NO_POLICY)


LIFECYCLE_POLICY = ResourceType(
    token="aws:ecr/lifecyclePolicy:LifecyclePolicy",  # noqa: S106
    # The genuine provider replaces it with its policy too.
    properties={
        "repository": text(required=True, replaces=True),
        "policy": json_text(required=True, replaces=True),
    },
    outputs={"registryId": ()},
    identity=("repository",),
    create=_put_policy,
    read=_read_policy,
    delete=_delete_policy,
)
