"""Which statement of which role a run really used: policies held against the record of calls."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import boto3

    from local.emulator.calls import Call


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One Allow of a role's inline policies."""

    role: str
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def allows(self, call: Call) -> bool:
        """Say whether this statement covers the call; conditions are IAM's to judge, and it let the call pass."""
        return (
            call.role == self.role
            and any(_matches(pattern.lower(), call.action.lower()) for pattern in self.actions)
            and any(_matches(pattern, call.resource) for pattern in self.resources)
        )


@dataclass(frozen=True, kw_only=True)
class Use:
    """An action of a statement, and a call that needed it; None where no call did."""

    statement: Statement
    action: str
    call: Call | None


def statements(session: boto3.Session, role: str) -> list[Statement]:
    """Read a role's inline policies."""
    iam = session.client("iam")
    found = []
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        found += [
            Statement(
                role=role,
                sid=statement.get("Sid", ""),
                actions=_listed(statement["Action"]),
                resources=_listed(statement["Resource"]),
            )
            for statement in document["Statement"]
            if statement["Effect"] == "Allow"
        ]
    return found


def uses(allowed: Iterable[Statement], calls: Sequence[Call]) -> list[Use]:
    """Find, for each action of each statement, a call that succeeded through it."""
    succeeded = [call for call in calls if call.status < 400]  # noqa: PLR2004 - HTTP
    return [
        Use(
            statement=statement,
            action=action,
            call=next((call for call in succeeded if _narrowed(statement, action).allows(call)), None),
        )
        for statement in allowed
        for action in statement.actions
    ]


def _narrowed(statement: Statement, action: str) -> Statement:
    return Statement(role=statement.role, sid=statement.sid, actions=(action,), resources=statement.resources)


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _matches(pattern: str, text: str) -> bool:
    """Match as IAM does: `*` for any text, `?` for one character."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, re.DOTALL) is not None
