"""Reads of many items of the ledger's table, as the plain values that `client.scan(**request)` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, ScanInputTypeDef

    from overtime.ledger.model import RunState


def scan(
    table: str,
    states: Iterable[RunState],
    *,
    after: Mapping[str, AttributeValueTypeDef] | None = None,
) -> ScanInputTypeDef:
    """Read the runs that are in one of these states, a page at a time; `after` is the last page's LastEvaluatedKey."""
    values = {f":s{index}": state.value for index, state in enumerate(sorted(states))}
    request: ScanInputTypeDef = {
        "TableName": table,
        "FilterExpression": f"#state IN ({', '.join(values)})",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
        "ConsistentRead": True,
    }
    return request if after is None else {**request, "ExclusiveStartKey": dict(after)}


def scan_open(
    table: str, *, index: str | None, after: Mapping[str, AttributeValueTypeDef] | None = None
) -> ScanInputTypeDef:
    """Read the keys of what is not settled, a page at a time.

    With the sparse index that holds `open` this costs what is open; without, it goes through the whole table. It is
    never consistent, so who acts on a key reads its item anew.
    """
    request: ScanInputTypeDef = {
        "TableName": table,
        "FilterExpression": "attribute_exists(#open)",
        "ProjectionExpression": "run_key",
        "ExpressionAttributeNames": {"#open": "open"},
    }
    if index is not None:
        request["IndexName"] = index
    return request if after is None else {**request, "ExclusiveStartKey": dict(after)}
