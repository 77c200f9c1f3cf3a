"""IAM roles and their policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.provider.aws import documents
from local.provider.aws.resources.shapes import present, retag, tag_list, tags_of
from local.provider.aws.schema import Change, Naming, ResourceType, flag, integer, json_text, mapping, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_GONE = "NoSuchEntity"


def _create_role(aws: Aws, given: Values) -> str:
    shape = present(
        RoleName=given["name"],
        AssumeRolePolicyDocument=given["assumeRolePolicy"],
        Description=given["description"] or None,
        MaxSessionDuration=given["maxSessionDuration"],
        Path=given["path"],
        PermissionsBoundary=given["permissionsBoundary"],
        Tags=tag_list(given["tags"]) or None,
    )
    return aws.iam.create_role(**shape)["Role"]["RoleName"]


def _read_role(aws: Aws, name: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.iam.get_role(RoleName=name), _GONE)
    if found is None:
        return None
    role = found["Role"]
    return {
        "name": role["RoleName"],
        "assumeRolePolicy": json.dumps(role["AssumeRolePolicyDocument"]),
        "description": role.get("Description"),
        "maxSessionDuration": role.get("MaxSessionDuration"),
        "path": role["Path"],
        "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "tags": tags_of(aws.iam.list_role_tags(RoleName=name)["Tags"]),
        "arn": role["Arn"],
        "uniqueId": role["RoleId"],
        "createDate": role["CreateDate"].isoformat(),
    }


def _update_role(aws: Aws, change: Change) -> None:
    name, new = change.id, change.new
    if change.has("assumeRolePolicy"):
        aws.iam.update_assume_role_policy(RoleName=name, PolicyDocument=new["assumeRolePolicy"])
    if change.has("description", "maxSessionDuration"):
        duration = new["maxSessionDuration"]
        aws.iam.update_role(RoleName=name, Description=new["description"] or "", MaxSessionDuration=duration)
    if change.has("permissionsBoundary"):
        if new["permissionsBoundary"]:
            aws.iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=new["permissionsBoundary"])
        else:
            aws.iam.delete_role_permissions_boundary(RoleName=name)
    retag(
        change,
        put=lambda tags: aws.iam.tag_role(RoleName=name, Tags=tag_list(tags)),
        remove=lambda names: aws.iam.untag_role(RoleName=name, TagKeys=names),
    )


def _delete_role(aws: Aws, name: str, known: Values) -> None:
    def delete() -> None:
        if known.get("forceDetachPolicies"):
            for policy in aws.iam.list_role_policies(RoleName=name)["PolicyNames"]:
                aws.iam.delete_role_policy(RoleName=name, PolicyName=policy)
            for attached in aws.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                aws.iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
        aws.iam.delete_role(RoleName=name)

    unless_gone(delete, _GONE)


ROLE = ResourceType(
    token="aws:iam/role:Role",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "assumeRolePolicy": json_text(required=True, alike=documents.policy),
        "description": text(),
        "forceDetachPolicies": flag(default=False, told=False),
        "maxSessionDuration": integer(default=3600),
        "path": text(default="/", replaces=True),
        "permissionsBoundary": text(),
        "tags": mapping(),
    },
    outputs={"arn": (), "uniqueId": (), "createDate": ()},
    identity=("name",),
    naming=Naming(longest=64),
    regional=False,
    create=_create_role,
    read=_read_role,
    update=_update_role,
    delete=_delete_role,
)


def _put_policy(aws: Aws, given: Values) -> str:
    role, name = str(given["role"]), str(given["name"])
    aws.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=given["policy"])
    return f"{role}:{name}"


def _read_policy(aws: Aws, identity: str, _known: Values) -> Values | None:
    role, _, name = identity.partition(":")
    found = unless_gone(lambda: aws.iam.get_role_policy(RoleName=role, PolicyName=name), _GONE)
    if found is None:
        return None
    return {"role": role, "name": name, "policy": json.dumps(found["PolicyDocument"])}


def _update_policy(aws: Aws, change: Change) -> None:
    _put_policy(aws, change.new)


def _delete_policy(aws: Aws, identity: str, _known: Values) -> None:
    role, _, name = identity.partition(":")
    unless_gone(lambda: aws.iam.delete_role_policy(RoleName=role, PolicyName=name), _GONE)


ROLE_POLICY = ResourceType(
    token="aws:iam/rolePolicy:RolePolicy",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "role": text(required=True, replaces=True),
        "policy": json_text(required=True, alike=documents.policy),
    },
    outputs={},
    identity=("role", "name"),
    naming=Naming(longest=128),
    regional=False,
    create=_put_policy,
    read=_read_policy,
    update=_update_policy,
    delete=_delete_policy,
)


def _attach(aws: Aws, given: Values) -> str:
    aws.iam.attach_role_policy(RoleName=given["role"], PolicyArn=given["policyArn"])
    return f"{given['role']}/{given['policyArn']}"


def _read_attachment(aws: Aws, identity: str, _known: Values) -> Values | None:
    role, _, arn = identity.partition("/")

    def is_attached() -> bool:
        pages = aws.iam.get_paginator("list_attached_role_policies").paginate(RoleName=role)
        return any(policy.get("PolicyArn") == arn for page in pages for policy in page["AttachedPolicies"])

    return {"role": role, "policyArn": arn} if unless_gone(is_attached, _GONE) else None


def _detach(aws: Aws, identity: str, _known: Values) -> None:
    role, _, arn = identity.partition("/")
    unless_gone(lambda: aws.iam.detach_role_policy(RoleName=role, PolicyArn=arn), _GONE)


ROLE_POLICY_ATTACHMENT = ResourceType(
    token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",  # noqa: S106
    properties={"role": text(required=True, replaces=True), "policyArn": text(required=True, replaces=True)},
    outputs={},
    identity=("role", "policyArn"),
    regional=False,
    create=_attach,
    read=_read_attachment,
    delete=_detach,
)
