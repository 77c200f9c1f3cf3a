"""Reads of the ledger's table, as arguments for `client.get_item` and `client.scan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.contract import runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, GetItemInputTypeDef, ScanInputTypeDef

    from overtime.contract.runs import RunKey


def get(table: str, key: RunKey) -> GetItemInputTypeDef:
    """Return the request for one run, with a strongly consistent read."""
    return {"TableName": table, "Key": {runs.KEY: {"S": str(key)}}, "ConsistentRead": True}


def scan_open(
    table: str, *, index: str | None, after: Mapping[str, AttributeValueTypeDef] | None = None
) -> ScanInputTypeDef:
    """Return the request for a page of the keys of open runs and slot items.

    With the sparse index over `open`, its cost depends on the open runs only; without, it scans the whole table. It is
    eventually consistent, so the caller must read an item again before it acts on it.
    """
    request: ScanInputTypeDef = {
        "TableName": table,
        "FilterExpression": "attribute_exists(#open)",
        "ProjectionExpression": runs.KEY,
        "ExpressionAttributeNames": {"#open": runs.OPEN},
    }
    if index is not None:
        request["IndexName"] = index
    return request if after is None else {**request, "ExclusiveStartKey": dict(after)}
