"""Building blocks of the ledger's requests: bounded texts, history entries, and an UpdateItem that is always fenced."""
# ruff: noqa: PLR0913 -- an entry names everything that it writes

from __future__ import annotations

from overtime.contract import runs
from overtime.contract.runs import RunKey, RunState, timestamp
from overtime.errors import OvertimeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from mypy_boto3_dynamodb.type_defs import UniversalAttributeValueTypeDef, UpdateItemInputTypeDef

    Value: TypeAlias = UniversalAttributeValueTypeDef

LONGEST_TEXT = 1024
"""The longest reason or error text in bytes; Lambda also sends only the first KB."""
_LONGEST_HISTORY_TEXT = 200


class ImpossibleStateError(OvertimeError):
    """A request was to move a run into a state that this change does not allow."""


def bounded(text: str, longest: int = LONGEST_TEXT) -> str:
    """Truncate a text to `longest` bytes of whole UTF-8 characters; replace surrogates, which DynamoDB rejects."""
    return text.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore")


def entry(state: RunState, attempt: int, task_arn: str | None, reason: str | None, now: float) -> Value:
    """Return an entry of a run's history, with a shorter reason because a history may have many entries."""
    step: dict[str, Value] = {
        "state": {"S": state.value},
        "at": {"S": timestamp(now)},
        "attempt": {"N": str(attempt)},
    }
    if task_arn is not None:
        step["task_arn"] = {"S": task_arn}
    if reason is not None:
        step["reason"] = {"S": bounded(reason, _LONGEST_HISTORY_TEXT)}
    return {"M": step}


class Update:
    """An UpdateItem request that always requires one of the source states and the attempt to which it applies."""

    def __init__(self, table: str, key: RunKey, attempt: int, sources: Iterable[RunState]) -> None:
        self._table, self._key, self._attempt = table, key, attempt
        self._names: dict[str, str] = {}
        self._values: dict[str, Value] = {":fence": {"N": str(attempt)}}
        self._sets: list[str] = []
        self._removes: list[str] = []
        froms = {f":from{index}": state.value for index, state in enumerate(sorted(sources))}
        self._values.update({name: {"S": value} for name, value in froms.items()})
        self._conditions = [
            f"{self._name('state')} IN ({', '.join(froms)})",
            f"{self._name('attempt')} = :fence",
        ]

    def require(self, condition: str, attribute: str, **values: Value) -> None:
        """Add a condition on `#attribute`, with the values to which it refers."""
        self._conditions.append(condition)
        self._name(attribute)
        self._values.update({f":{name}": value for name, value in values.items()})

    def require_task(self, task_arn: str | None) -> None:
        """Require that the run has this task, or none if `task_arn` is None."""
        if task_arn is None:
            self.require("attribute_not_exists(#task_arn)", "task_arn")
        else:
            self.require("#task_arn = :holder", "task_arn", holder={"S": task_arn})

    def set(self, attribute: str, value: Value) -> None:
        """Write an attribute."""
        self._sets.append(f"{self._name(attribute)} = :{attribute}")
        self._values[f":{attribute}"] = value

    def set_once(self, attribute: str, value: Value) -> None:
        """Write an attribute, unless the item has it already."""
        self._sets.append(f"{self._name(attribute)} = if_not_exists({self._name(attribute)}, :{attribute})")
        self._values[f":{attribute}"] = value

    def remove(self, *attributes: str) -> None:
        """Remove attributes."""
        self._removes.extend(self._name(attribute) for attribute in attributes)

    def enter(
        self,
        state: RunState,
        task_arn: str | None,
        reason: str | None,
        now: float,
        *,
        attempt: int | None = None,
        remember: bool = True,
    ) -> None:
        """Change the state and, if `remember`, append it to the history, with `attempt` if it is a new one."""
        self.set("state", {"S": state.value})
        self.set("updated_at", {"S": timestamp(now)})
        if reason is not None:
            self.set("reason", {"S": bounded(reason)})
        if remember:
            self._sets.append(f"{self._name('history')} = list_append(if_not_exists(#history, :nothing), :entry)")
            self._values[":nothing"] = {"L": []}
            self._values[":entry"] = {"L": [entry(state, attempt or self._attempt, task_arn, reason, now)]}

    def request(self) -> UpdateItemInputTypeDef:
        """Build the request; its answer contains the whole item, even if the condition is not met."""
        expression = f"SET {', '.join(self._sets)}"
        if self._removes:
            expression += f" REMOVE {', '.join(self._removes)}"
        return {
            "TableName": self._table,
            "Key": {runs.KEY: {"S": str(self._key)}},
            "UpdateExpression": expression,
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _name(self, attribute: str) -> str:
        self._names[f"#{attribute}"] = attribute
        return f"#{attribute}"
