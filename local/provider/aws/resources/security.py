"""EC2 security groups, and the rules that let something out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.provider.aws.resources.network import STILL_USED, network_arn, retag_network, tagged
from local.provider.aws.resources.shapes import present, tags_of
from local.provider.aws.schema import Change, Naming, ResourceType, integer, mapping, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_NO_GROUP = ("InvalidGroup.NotFound", "InvalidGroupId.NotFound")
_NO_RULE = ("InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound", *_NO_GROUP)
_ALL = "-1"


def _create_group(aws: Aws, given: Values) -> str:
    shape = present(GroupName=given["name"], Description=given["description"], VpcId=given["vpcId"])
    return aws.ec2.create_security_group(**shape, **tagged("security-group", given))["GroupId"]


def _close(aws: Aws, group: str, _given: Values) -> None:
    """Take away the rule with which AWS lets everything out of a new group, as the genuine provider does."""
    found = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    permissions = found[0].get("IpPermissionsEgress", []) if found else []
    if permissions:
        aws.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=permissions)


def _read_group(aws: Aws, group: str, _known: Values) -> Values | None:
    answer = unless_gone(lambda: aws.ec2.describe_security_groups(GroupIds=[group]), *_NO_GROUP)
    if not answer or not answer["SecurityGroups"]:
        return None
    found = answer["SecurityGroups"][0]
    owner = found.get("OwnerId", "")
    return {
        "name": found.get("GroupName"),
        "description": found.get("Description"),
        "vpcId": found.get("VpcId"),
        "tags": tags_of(found.get("Tags", [])),
        "arn": found.get("SecurityGroupArn") or network_arn(aws, owner, "security-group", group),
        "ownerId": owner,
    }


def _delete_group(aws: Aws, group: str, _known: Values) -> None:
    unless_gone(lambda: aws.when(lambda: aws.ec2.delete_security_group(GroupId=group), STILL_USED), *_NO_GROUP)


SECURITY_GROUP = ResourceType(
    token="aws:ec2/securityGroup:SecurityGroup",  # noqa: S106
    properties={
        "name": text(replaces=True),
        "description": text(default="Managed by Pulumi", replaces=True),
        "vpcId": text(replaces=True, computed=True),
        "tags": mapping(),
    },
    outputs={"arn": (), "ownerId": ()},
    identity=("name", "vpcId"),
    naming=Naming(longest=255),
    create=_create_group,
    finish=_close,
    read=_read_group,
    update=retag_network,
    delete=_delete_group,
)


def _permission(given: Values) -> Values:
    ports = (None, None) if given["ipProtocol"] == _ALL else (given["fromPort"], given["toPort"])
    return present(IpProtocol=given["ipProtocol"], FromPort=ports[0], ToPort=ports[1])


def _allow(aws: Aws, given: Values) -> str:
    targets = present(CidrIp=given["cidrIpv4"], Description=given["description"])
    permission = {**_permission(given), "IpRanges": [targets]}
    answer = aws.ec2.authorize_security_group_egress(
        GroupId=given["securityGroupId"],
        IpPermissions=[permission],  # type: ignore[list-item]
        **tagged("security-group-rule", given),
    )
    return answer["SecurityGroupRules"][0].get("SecurityGroupRuleId", "")


def _read_rule(aws: Aws, rule: str, _known: Values) -> Values | None:
    answer = unless_gone(lambda: aws.ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule]), *_NO_RULE)
    if not answer or not answer["SecurityGroupRules"]:
        return None
    found = answer["SecurityGroupRules"][0]
    protocol = found.get("IpProtocol")
    owner = found.get("GroupOwnerId", "")
    ports: dict[str, Any] = {"fromPort": found.get("FromPort"), "toPort": found.get("ToPort")}
    return {
        "securityGroupId": found.get("GroupId"),
        "ipProtocol": protocol,
        "cidrIpv4": found.get("CidrIpv4"),
        "description": found.get("Description"),
        **({} if protocol == _ALL else ports),
        "tags": tags_of(found.get("Tags", [])),
        "arn": network_arn(aws, owner, "security-group-rule", rule),
        "securityGroupRuleId": rule,
    }


def _update_rule(aws: Aws, change: Change) -> None:
    new = change.new
    if change.names - {"tags"}:
        rule = {
            **_permission(new),
            **present(CidrIpv4=new["cidrIpv4"], Description=new["description"] or ""),
        }
        update = {"SecurityGroupRuleId": change.id, "SecurityGroupRule": rule}
        aws.ec2.modify_security_group_rules(GroupId=new["securityGroupId"], SecurityGroupRules=[update])  # type: ignore[list-item]
    retag_network(aws, change)


def _forbid(aws: Aws, rule: str, known: Values) -> None:
    group = known["securityGroupId"]
    unless_gone(lambda: aws.ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[rule]), *_NO_RULE)


EGRESS_RULE = ResourceType(
    token="aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",  # noqa: S106
    properties={
        "securityGroupId": text(required=True, replaces=True),
        "ipProtocol": text(required=True),
        "cidrIpv4": text(required=True),
        "description": text(),
        "fromPort": integer(),
        "toPort": integer(),
        "tags": mapping(),
    },
    outputs={"arn": (), "securityGroupRuleId": ()},
    create=_allow,
    read=_read_rule,
    update=_update_rule,
    delete=_forbid,
)
