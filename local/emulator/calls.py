"""The record of calls: who did what to which resource, and how it ended. No bodies, no secrets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an AWS action."""

    time: str
    """ISO 8601, UTC."""
    caller: str
    """ARN: `arn:aws:iam::…:root` or `arn:aws:sts::…:assumed-role/<role>/<session>`."""
    action: str
    """As IAM writes it, `sqs:SendMessage`; for what IAM does not know, `<service>:?`."""
    resource: str
    """ARN as IAM is asked for it, or `*`."""
    status: int
    """HTTP status of the answer."""
    via: str = ""
    """The AWS service that called on the role's behalf, as in `lambda.amazonaws.com`; empty for the role itself."""

    @property
    def role(self) -> str:
        """Name of the caller's role; empty when it has none."""
        _, found, rest = self.caller.partition(":assumed-role/")
        return rest.partition("/")[0] if found else ""


def write_call(path: Path, call: Call) -> None:
    """Add one call to the record; a line this short is written in one piece."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(call)) + "\n")


def read_calls(path: Path) -> list[Call]:
    """Read the record; no record is no calls."""
    if not path.exists():
        return []
    return [Call(**json.loads(line)) for line in path.read_text().splitlines()]
