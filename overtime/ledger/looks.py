"""The watcher's last scan of each parking queue: one item per function.

| the item `<function>/:parking` | times in milliseconds since the epoch |
|---|---|
| `looked_at` | time of the scan |
| `messages` | number of messages found |
| `oldest_sent` | when the oldest of them was first sent |
| `counted_sent` | when the newest message that belongs to no run and has been counted as parked was sent |

So the watcher need not scan in every round, which would make the messages invisible to operators for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.contract import runs
from overtime.contract.runs import parking_key
from overtime.ledger.answers import LedgerUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


@dataclass(frozen=True, kw_only=True)
class Look:
    """One scan of a parking queue; times in milliseconds since the epoch, 0 before the first scan."""

    looked_at: int = 0
    messages: int = 0
    oldest_sent: int = 0
    counted_sent: int = 0


_NAMES = ("looked_at", "messages", "oldest_sent", "counted_sent")


class Looks:
    """The last scan of each parking queue. Every method may raise LedgerUnavailableError; retrying is safe."""

    def __init__(self, *, table: str, dynamodb: DynamoDBClient) -> None:
        self._table, self._dynamodb = table, dynamodb

    def latest(self, function_name: str) -> Look:
        """Read the last scan; an unreadable item counts as none."""
        try:
            answer = self._dynamodb.get_item(TableName=self._table, Key=_key(function_name), ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable("read from", function_name, error) from error
        item = answer.get("Item", {})
        try:
            return Look(**{name: int(item[name]["N"]) for name in _NAMES})
        except (KeyError, ValueError):
            return Look()

    def remember(self, function_name: str, look: Look) -> None:
        """Write a scan, replacing the previous one."""
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(function_name),
                UpdateExpression=f"SET {', '.join(f'{name} = :{name}' for name in _NAMES)}",
                ExpressionAttributeValues={f":{name}": {"N": str(getattr(look, name))} for name in _NAMES},
            )
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable("written to", function_name, error) from error

    def _unavailable(self, what: str, function_name: str, error: Exception) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            f"the last scan of the parking queue of {function_name!r} could not be {what} the table "
            f"{self._table!r}: {error}. The watcher retries in the next round; if this persists, check the table and "
            "the role's permissions."
        )


def _key(function_name: str) -> dict[str, AttributeValueTypeDef]:
    return {runs.KEY: {"S": parking_key(function_name)}}
