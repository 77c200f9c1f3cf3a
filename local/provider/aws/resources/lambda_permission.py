"""Who may invoke a Lambda function: one statement of its resource policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.provider.aws.resources.lambda_ import GONE, name_of
from local.provider.aws.resources.shapes import present
from local.provider.aws.schema import Naming, ResourceType, text
from local.provider.aws.session import refused_with, unless_gone

if TYPE_CHECKING:
    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_BUSY = refused_with("ResourceConflictException", "PreconditionFailedException")
_SERVICE_PRINCIPALS = ("Service", "AWS")


def _create(aws: Aws, given: Values) -> str:
    shape = present(
        FunctionName=given["function"],
        StatementId=given["statementId"],
        Action=given["action"],
        Principal=given["principal"],
        SourceArn=given["sourceArn"],
        SourceAccount=given["sourceAccount"],
        Qualifier=given["qualifier"],
    )
    aws.functions.add_permission(**shape)
    return str(given["statementId"])


def _read(aws: Aws, identity: str, known: Values) -> Values | None:
    shape = present(FunctionName=known["function"], Qualifier=known.get("qualifier"))
    found = unless_gone(lambda: aws.functions.get_policy(**shape), GONE)
    statements = json.loads(found["Policy"])["Statement"] if found else []
    for statement in statements:
        if statement.get("Sid") == identity:
            conditions = {
                key.lower(): value
                for operands in statement.get("Condition", {}).values()
                for key, value in operands.items()
            }
            return {
                "function": known["function"],
                "qualifier": known.get("qualifier"),
                "statementId": identity,
                "action": statement["Action"],
                "principal": _principal(statement["Principal"]),
                "sourceArn": conditions.get("aws:sourcearn"),
                "sourceAccount": conditions.get("aws:sourceaccount"),
            }
    return None


def _principal(told: str | dict[str, str]) -> str:
    if isinstance(told, str):
        return told
    return next(told[kind] for kind in _SERVICE_PRINCIPALS if kind in told)


def _delete(aws: Aws, identity: str, known: Values) -> None:
    shape = present(FunctionName=known["function"], StatementId=identity, Qualifier=known.get("qualifier"))
    unless_gone(lambda: aws.when(lambda: aws.functions.remove_permission(**shape), _BUSY), GONE)


PERMISSION = ResourceType(
    token="aws:lambda/permission:Permission",  # noqa: S106
    properties={
        "function": text(required=True, replaces=True, alike=name_of),
        "action": text(required=True, replaces=True),
        "principal": text(required=True, replaces=True),
        "sourceArn": text(replaces=True),
        "sourceAccount": text(replaces=True),
        "statementId": text(replaces=True),
        "qualifier": text(replaces=True),
    },
    outputs={},
    identity=("function", "statementId"),
    naming=Naming(property="statementId", longest=100),
    create=_create,
    read=_read,
    delete=_delete,
)
