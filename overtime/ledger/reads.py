"""Reads of the ledger's table, as the plain values that `client.get_item(**request)` and `client.scan` take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overtime.contract import runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, GetItemInputTypeDef, ScanInputTypeDef

    from overtime.contract.runs import RunKey


def get(table: str, key: RunKey) -> GetItemInputTypeDef:
    """Read one run as it is now, not as a replica remembers it."""
    return {"TableName": table, "Key": {runs.KEY: {"S": str(key)}}, "ConsistentRead": True}


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
        "ProjectionExpression": runs.KEY,
        "ExpressionAttributeNames": {"#open": runs.OPEN},
    }
    if index is not None:
        request["IndexName"] = index
    return request if after is None else {**request, "ExclusiveStartKey": dict(after)}
