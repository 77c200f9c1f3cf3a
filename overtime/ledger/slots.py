"""Slots: they limit a function's concurrent tasks with one item per function, whose entries a condition counts.

| the item `<function>/:slots` | |
|---|---|
| `held` | map: `<request id>/<task attempt>` → time of acquisition in milliseconds since the epoch |
| `open` | the function's name, so that the watcher finds the item among the open runs |

The dispatcher acquires a slot before RunTask. Only the watcher releases it: when the task has stopped, or when none can
have started. Acquiring a slot again updates its time, and the watcher releases an old slot only if its time is
unchanged, so a slot that was acquired again in the meantime stays.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from overtime.contract import runs
from overtime.contract.aws_errors import CONDITION_FAILED
from overtime.contract.runs import InvalidRunKeyError, RunKey, slots_key
from overtime.ledger.answers import LedgerUnavailableError, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, UpdateItemInputTypeDef


class Slots:
    """The slots of all functions. Every method may raise LedgerUnavailableError; retrying is safe."""

    def __init__(self, *, table: str, dynamodb: DynamoDBClient, clock: Callable[[], float] = time.time) -> None:
        self._table, self._dynamodb, self._clock = table, dynamodb, clock
        self._made: set[str] = set()

    def take(self, key: RunKey, attempt: int, *, most: int) -> bool:
        """Acquire a slot for this attempt, which may already have one; return False if `most` others are occupied."""
        request = self._request(key.function_name)
        request["UpdateExpression"] = "SET #held.#slot = :now, #open = :function"
        request["ConditionExpression"] = "attribute_exists(#held.#slot) OR size(#held) < :most"
        request["ExpressionAttributeNames"] = {"#held": "held", "#slot": _slot(key, attempt), "#open": runs.OPEN}
        request["ExpressionAttributeValues"] = {
            ":now": {"N": str(int(self._clock() * 1000))},
            ":most": {"N": str(most)},
            ":function": {"S": key.function_name},
        }
        self._make(key.function_name)
        return self._sent(request, key.function_name)

    def give_back(self, key: RunKey, attempt: int, *, taken: int | None = None) -> bool:
        """Release the attempt's slot, if it was acquired at `taken` (None: at any time); return whether it was."""
        request = self._request(key.function_name)
        request["UpdateExpression"] = "REMOVE #held.#slot"
        request["ConditionExpression"] = "attribute_exists(#held.#slot)" if taken is None else "#held.#slot = :taken"
        request["ExpressionAttributeNames"] = {"#held": "held", "#slot": _slot(key, attempt)}
        if taken is not None:
            request["ExpressionAttributeValues"] = {":taken": {"N": str(taken)}}
        return self._sent(request, key.function_name)

    def held(self, function_name: str) -> Mapping[tuple[RunKey, int], int]:
        """Return a function's readable slots, each with the time of its acquisition in milliseconds since the epoch."""
        read = (_read(function_name, name, taken) for name, taken in self._entries(function_name).items())
        return dict(slot for slot in read if slot is not None)

    def forget_unreadable(self, function_name: str) -> int:
        """Remove entries that cannot be a task's slot, and return their number."""
        entries = self._entries(function_name).items()
        names = [name for name, taken in entries if _read(function_name, name, taken) is None]
        for name in names:
            request = self._request(function_name)
            request["UpdateExpression"] = "REMOVE #held.#slot"
            request["ExpressionAttributeNames"] = {"#held": "held", "#slot": name}
            self._sent(request, function_name)
        return len(names)

    def _entries(self, function_name: str) -> Mapping[str, AttributeValueTypeDef]:
        try:
            answer = self._dynamodb.get_item(
                TableName=self._table, Key={runs.KEY: {"S": slots_key(function_name)}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(function_name, error) from error
        return answer.get("Item", {}).get("held", {}).get("M", {})

    def close(self, function_name: str) -> None:
        """Remove the item from the index of open runs if no slot is occupied; the next acquisition adds it again."""
        request = self._request(function_name)
        request["UpdateExpression"] = "REMOVE #open"
        request["ConditionExpression"] = "size(#held) < :one"
        request["ExpressionAttributeNames"] = {"#held": "held", "#open": runs.OPEN}
        request["ExpressionAttributeValues"] = {":one": {"N": "1"}}
        self._sent(request, function_name)

    def _make(self, function_name: str) -> None:
        # Without the map, the condition of `take` would fail. The map is never removed, so creating it once is enough.
        if function_name in self._made:
            return
        request = self._request(function_name)
        request["UpdateExpression"] = "SET #held = if_not_exists(#held, :none)"
        request["ExpressionAttributeNames"] = {"#held": "held"}
        request["ExpressionAttributeValues"] = {":none": {"M": {}}}
        self._sent(request, function_name)
        self._made.add(function_name)

    def _request(self, function_name: str) -> UpdateItemInputTypeDef:
        return {"TableName": self._table, "Key": {runs.KEY: {"S": slots_key(function_name)}}}

    def _sent(self, request: UpdateItemInputTypeDef, function_name: str) -> bool:
        try:
            self._dynamodb.update_item(**request)
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                return False
            raise self._unavailable(function_name, error) from error
        except BotoCoreError as error:
            raise self._unavailable(function_name, error) from error
        return True

    def _unavailable(self, function_name: str, error: Exception) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            f"the tasks of {function_name!r} could not be counted in the table {self._table!r}: {error}. No task "
            "starts uncounted; retrying is safe. If this persists, check the table and the role's permissions."
        )


def _slot(key: RunKey, attempt: int) -> str:
    return f"{key.request_id}/{attempt}"


def _read(function_name: str, name: str, taken: AttributeValueTypeDef) -> tuple[tuple[RunKey, int], int] | None:
    request_id, _, attempt = name.rpartition("/")
    try:
        slot = RunKey(function_name, request_id), int(attempt)
        return (slot, int(taken["N"])) if name == _slot(*slot) else None
    except (KeyError, ValueError, InvalidRunKeyError):
        return None
