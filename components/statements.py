"""Statements of IAM policies, and documents made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Document = dict[str, object]


class _StatementParts(TypedDict, total=False):
    Sid: str
    Principal: str | dict[str, str]
    Resource: list[str]
    Condition: Mapping[str, object]


class Statement(_StatementParts):
    """A statement of an IAM policy."""

    Effect: Literal["Allow", "Deny"]
    Action: str | list[str]


def allow(
    sid: str, actions: Collection[str], resources: Collection[str], condition: Mapping[str, object] | None = None
) -> Statement:
    """Return a statement that allows actions on resources, both sorted."""
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": sorted(resources),
    }
    return {**statement, "Condition": condition} if condition else statement


def service_of(name: str) -> dict[str, str]:
    """Return the principal that stands for an AWS service."""
    return {"Service": f"{name}.amazonaws.com"}


def document(statements: Sequence[Statement]) -> Document:
    """Return a policy document with these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}
