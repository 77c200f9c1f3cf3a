"""The global secondary indexes of DynamoDB tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.provider.aws.resources.shapes import present
from local.provider.aws.schema import Change, block, listed, text, unordered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.provider.aws.session import Aws
    from local.provider.aws.values import Values

NAME = "globalSecondaryIndexes"
_KEY = block(fields={"attributeName": text(required=True), "keyType": text(required=True)})
PROPERTY = unordered(
    block(
        fields={
            "name": text(required=True),
            "keySchemas": listed(_KEY, required=True),
            "nonKeyAttributes": unordered(text()),
            "projectionType": text(required=True),
        }
    )
)


def attribute_definitions(given: Values) -> list[Values]:
    """Write the attributes that are keys somewhere."""
    return [{"AttributeName": each["name"], "AttributeType": each["type"]} for each in given["attributes"]]


def indexes(given: Values) -> list[Values]:
    """Write the indexes as AWS takes them."""
    return [
        {
            "IndexName": each["name"],
            "KeySchema": [
                {"AttributeName": key["attributeName"], "KeyType": key["keyType"]} for key in each["keySchemas"]
            ],
            "Projection": present(
                ProjectionType=each["projectionType"], NonKeyAttributes=each["nonKeyAttributes"] or None
            ),
        }
        for each in given[NAME] or []
    ]


def told(table: Mapping[str, object]) -> list[Values]:
    """Read the indexes that a table has."""
    found: list[Values] = list(table.get("GlobalSecondaryIndexes") or [])  # type: ignore[call-overload]
    return [
        {
            "name": each["IndexName"],
            "keySchemas": [
                {"attributeName": key["AttributeName"], "keyType": key["KeyType"]} for key in each["KeySchema"]
            ],
            "nonKeyAttributes": each["Projection"].get("NonKeyAttributes"),
            "projectionType": each["Projection"]["ProjectionType"],
        }
        for each in found
        if each.get("IndexStatus") != "DELETING"
    ]


def update(aws: Aws, change: Change) -> None:
    """Take away indexes that are no more or other, and make the new ones: AWS takes one at a time."""
    old = {each["IndexName"]: each for each in indexes(change.old)}
    new = {each["IndexName"]: each for each in indexes(change.new)}
    gone: list[Values] = [{"Delete": {"IndexName": name}} for name, index in old.items() if index != new.get(name)]
    made: list[Values] = [{"Create": index} for name, index in new.items() if index != old.get(name)]
    attributes = attribute_definitions(change.new)
    for step in gone:
        aws.dynamodb.update_table(TableName=change.id, GlobalSecondaryIndexUpdates=[step])  # type: ignore[list-item]
        wait(aws, change.id)
    for step in made:
        shape: Values = {"GlobalSecondaryIndexUpdates": [step], "AttributeDefinitions": attributes}
        aws.dynamodb.update_table(TableName=change.id, **shape)
        wait(aws, change.id)
    if not gone and not made:
        # AWS says what it does not like of other attributes without another index.
        only: Values = {"AttributeDefinitions": attributes}
        aws.dynamodb.update_table(TableName=change.id, **only)


def wait(aws: Aws, name: str) -> None:
    """Wait until a table and its indexes can be used."""

    def is_active() -> bool:
        table = aws.dynamodb.describe_table(TableName=name)["Table"]
        states = [
            table.get("TableStatus"),
            *(each.get("IndexStatus") for each in table.get("GlobalSecondaryIndexes", [])),
        ]
        return all(state == "ACTIVE" for state in states)

    aws.wait(is_active, until=f"the table {name!r} and its indexes became active")
