"""Managed IAM policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import unquote

from local.provider.aws import documents
from local.provider.aws.resources.shapes import present, retag, tag_list, tags_of
from local.provider.aws.schema import Change, Naming, ResourceType, json_text, mapping, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_GONE = "NoSuchEntity"
_MOST_VERSIONS = 5


def _create(aws: Aws, given: Values) -> str:
    shape = present(
        PolicyName=given["name"],
        PolicyDocument=given["policy"],
        Path=given["path"],
        Description=given["description"] or None,
        Tags=tag_list(given["tags"]) or None,
    )
    return str(aws.iam.create_policy(**shape)["Policy"]["Arn"])


def _read(aws: Aws, arn: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.iam.get_policy(PolicyArn=arn)["Policy"], _GONE)
    if found is None:
        return None
    version = aws.iam.get_policy_version(PolicyArn=arn, VersionId=found["DefaultVersionId"])["PolicyVersion"]
    document = version["Document"]
    return {
        "name": found["PolicyName"],
        "policy": unquote(document) if isinstance(document, str) else json.dumps(document),
        "path": found["Path"],
        "description": found.get("Description"),
        "tags": tags_of(aws.iam.list_policy_tags(PolicyArn=arn)["Tags"]),
        "arn": arn,
        "policyId": found["PolicyId"],
    }


def _other_versions(aws: Aws, arn: str) -> list[str]:
    """List the versions that are not in force, the oldest first."""
    versions = aws.iam.list_policy_versions(PolicyArn=arn)["Versions"]
    old = [each for each in versions if not each["IsDefaultVersion"]]
    return [each["VersionId"] for each in sorted(old, key=lambda each: int(each["VersionId"].removeprefix("v")))]


def _update(aws: Aws, change: Change) -> None:
    arn = change.id
    if change.has("policy"):
        others = _other_versions(aws, arn)
        if len(others) == _MOST_VERSIONS - 1:
            aws.iam.delete_policy_version(PolicyArn=arn, VersionId=others[0])
        aws.iam.create_policy_version(PolicyArn=arn, PolicyDocument=change.new["policy"], SetAsDefault=True)
    retag(
        change,
        put=lambda tags: aws.iam.tag_policy(PolicyArn=arn, Tags=tag_list(tags)),
        remove=lambda names: aws.iam.untag_policy(PolicyArn=arn, TagKeys=names),
    )


def _delete(aws: Aws, arn: str, _known: Values) -> None:
    for version in unless_gone(lambda: _other_versions(aws, arn), _GONE) or []:
        aws.iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    unless_gone(lambda: aws.iam.delete_policy(PolicyArn=arn), _GONE)


POLICY = ResourceType(
    token="aws:iam/policy:Policy",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "policy": json_text(required=True, alike=documents.policy),
        "path": text(replaces=True, default="/"),
        "description": text(replaces=True),
        "tags": mapping(),
    },
    outputs={"arn": (), "policyId": ()},
    identity=("name",),
    naming=Naming(longest=128),
    regional=False,
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
