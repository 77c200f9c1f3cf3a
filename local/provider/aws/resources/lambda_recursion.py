"""Whether Lambda stops a function that events lead back to again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.lambda_ import GONE
from local.provider.aws.schema import Change, ResourceType, text
from local.provider.aws.session import unless_gone

if TYPE_CHECKING:
    from mypy_boto3_lambda.literals import RecursiveLoopType

    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

_STOPPED: RecursiveLoopType = "Terminate"
"""Every function has this setting, whether or not somebody has ever set it."""


def _create(aws: Aws, given: Values) -> str:
    _put(aws, given)
    return str(given["functionName"])


def _put(aws: Aws, given: Values) -> None:
    aws.functions.put_function_recursion_config(
        FunctionName=given["functionName"], RecursiveLoop=given["recursiveLoop"]
    )


def _read(aws: Aws, function: str, _known: Values) -> Values | None:
    found = unless_gone(lambda: aws.functions.get_function_recursion_config(FunctionName=function), GONE)
    return found and {"functionName": function, "recursiveLoop": found["RecursiveLoop"]}


def _update(aws: Aws, change: Change) -> None:
    _put(aws, change.new)


def _delete(aws: Aws, function: str, _known: Values) -> None:
    unless_gone(
        lambda: aws.functions.put_function_recursion_config(FunctionName=function, RecursiveLoop=_STOPPED), GONE
    )


FUNCTION_RECURSION_CONFIG = ResourceType(
    token="aws:lambda/functionRecursionConfig:FunctionRecursionConfig",  # noqa: S106
    properties={
        "functionName": text(required=True, replaces=True),
        "recursiveLoop": text(required=True, choices=("Allow", _STOPPED)),
    },
    outputs={},
    identity=("functionName",),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
)
