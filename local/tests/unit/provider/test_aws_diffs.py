from __future__ import annotations

import json
from typing import Any

import pytest

from local.provider.aws.diffs import How, deletes_first, differences
from local.provider.aws.registry import TYPES
from local.provider.aws.values import UNKNOWN, Archive, Asset, Secret

FUNCTION = "aws:lambda/function:Function"
DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
ROLE, POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
QUEUE = "aws:sqs/queue:Queue"
LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


def diff(token: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, bool]:
    """Give the paths that change, and whether each needs another resource."""
    return {each.path: each.replaces for each in differences(TYPES[token], old, new)}


@pytest.mark.parametrize(
    ("token", "name", "old", "new", "replaces"),
    [
        (FUNCTION, "name", "a", "b", True),
        (FUNCTION, "role", "a", "b", False),
        (FUNCTION, "memorySize", 128, 256, False),
        (FUNCTION, "timeout", 3, None, None),
        (FUNCTION, "timeout", 4, None, False),
        (FUNCTION, "layers", ["a", "b"], ["b", "a"], False),
        (FUNCTION, "reservedConcurrentExecutions", 0, None, False),
        (FUNCTION, "code", Archive(hash="1"), Archive(hash="2"), False),
        (FUNCTION, "code", Archive(hash="1", path="a"), Archive(hash="1", path="b"), None),
        (FUNCTION, "architectures", None, ["x86_64"], None),
        (DEFINITION, "cpu", "256", "512", True),
        (DEFINITION, "cpu", "256", 256, None),
        (DEFINITION, "memory", "512", "1024", True),
        (DEFINITION, "tags", None, {}, None),
        (DEFINITION, "requiresCompatibilities", ["EC2", "FARGATE"], ["FARGATE", "EC2"], None),
        (DEFINITION, "containerDefinitions", '[{"name": "a"}]', '[{"name": "b"}]', True),
        (DEFINITION, "containerDefinitions", '[{"name": "a"}]', UNKNOWN, True),
        (ROLE, "name", "a", "b", True),
        (ROLE, "description", None, "", None),
        (ROLE, "path", "/", "/a/", True),
        (QUEUE, "redrivePolicy", '{"a":1,"b":2}', '{"b": 2, "a": 1}', None),
        (QUEUE, "visibilityTimeoutSeconds", "30", None, None),
        (QUEUE, "sqsManagedSseEnabled", True, None, None),
        (QUEUE, "sqsManagedSseEnabled", True, False, False),
        (LIFECYCLE, "policy", '{"rules": []}', '{"rules": [1]}', True),
        (MAPPING, "functionName", "f", "arn:aws:lambda:eu-west-1:123456789012:function:f", None),
        (MAPPING, "functionName", "f", "arn:aws:lambda:eu-west-1:123456789012:function:f:live", False),
        ("aws:lambda/permission:Permission", "function", "f:live", "arn:aws:lambda:r:1:function:f:live", None),
        ("aws:ec2/subnet:Subnet", "availabilityZone", "a", None, None),
        ("aws:ec2/subnet:Subnet", "availabilityZone", "a", "b", True),
    ],
)
def test_what_changes_and_what_replaces(token: str, name: str, old: object, new: object, replaces: object) -> None:
    """As in AWS: what it changes is an update, what it cannot change replaces, what means the same is nothing."""
    assert diff(token, {name: old}, {name: new}) == ({} if replaces is None else {name: replaces})


def test_changes_inside_a_map_are_told_by_their_path() -> None:
    old = {"environment": {"variables": {"A": "1", "B": Secret("2"), "C": "3"}}}
    new = {"environment": {"variables": {"A": "1", "B": Secret("other"), "d-e": "4"}}}
    found = differences(TYPES[FUNCTION], old, new)
    assert {each.path: each.how for each in found} == {
        "environment.variables.B": How.UPDATE,
        "environment.variables.C": How.DELETE,
        'environment.variables["d-e"]': How.ADD,
    }


def test_a_secret_means_what_is_in_it() -> None:
    assert diff(FUNCTION, {"handler": "a.b"}, {"handler": Secret("a.b")}) == {}


def test_code_without_a_hash_is_compared_by_what_it_is() -> None:
    one, other = (Archive(members={"a": Asset(text=text)}) for text in "12")
    assert diff(FUNCTION, {"code": one}, {"code": one}) == {}
    assert diff(FUNCTION, {"code": one}, {"code": other}) == {"code": False}


def test_policies_are_compared_by_what_they_allow() -> None:
    """AWS gives back one action as a text or a list, actions in its own order, and `*` as a principal of AWS."""

    def policy(**statement: object) -> dict[str, Any]:
        return {"policy": json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", **statement}]})}

    condition = {"Bool": {"aws:SecureTransport": "false"}}
    one = policy(Action=["b", "a"], Resource="*", Principal="*", Condition=condition)
    same = policy(
        Principal={"AWS": "*"}, Resource=["*"], Action=["a", "b"], Condition={"Bool": {"aws:SecureTransport": [False]}}
    )
    assert diff(POLICY, one, same) == {}
    assert diff(POLICY, one, policy(Action=["a"], Resource="*", Principal="*", Condition=condition)) == {
        "policy": False
    }


def test_container_definitions_are_compared_without_what_ecs_writes_into_them() -> None:
    given = [{"name": "a", "environment": [{"name": "B", "value": ""}, {"name": "A", "value": "1"}]}]
    told = [
        {
            "name": "a",
            "cpu": 0,
            "essential": True,
            "portMappings": [],
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}],
            "mountPoints": [],
        }
    ]
    old, new = ({"containerDefinitions": json.dumps(each)} for each in (given, told))
    assert diff(DEFINITION, old, new) == {}
    told[0]["readonlyRootFilesystem"] = True
    assert diff(DEFINITION, old, {"containerDefinitions": json.dumps(told)}) == {"containerDefinitions": True}


@pytest.mark.parametrize(
    ("token", "old", "new", "first"),
    [
        (FUNCTION, {"name": "a"}, {"name": "b"}, False),
        (ROLE, {"name": "a", "path": "/"}, {"name": "a", "path": "/b/"}, True),
        (ROLE, {"name": "a-1"}, {"name": "a-1", "path": "/b/", "__defaults": ["name"]}, False),
        (LIFECYCLE, {"repository": "a", "policy": "1"}, {"repository": "a", "policy": "2"}, True),
        (LIFECYCLE, {"repository": "a"}, {"repository": "b"}, False),
        (DEFINITION, {"family": "a", "cpu": "256"}, {"family": "a", "cpu": "512"}, False),
    ],
)
def test_a_replacement_deletes_first_only_where_two_cannot_stand_side_by_side(
    token: str, old: dict[str, Any], new: dict[str, Any], first: object
) -> None:
    assert deletes_first(TYPES[token], old, new) is first
