# ruff: noqa: N803 -- the doubles take AWS's own names
"""The services that take a destination's records, besides SQS."""

from __future__ import annotations

from overtime.lambdas.watcher.destinations import ATTRIBUTE

Letter = tuple[str, str | None, str]
"""The destination's ARN, the run that an attribute names, and the record."""


class Sns:
    """SNS: keeps what is published."""

    service = "sns"

    def __init__(self, letters: list[Letter]) -> None:
        self._letters = letters

    def publish(self, *, TopicArn: str, Message: str, MessageAttributes: dict[str, dict[str, str]]) -> None:
        """Take a record."""
        self._letters.append((TopicArn, MessageAttributes[ATTRIBUTE]["StringValue"], Message))


class Events:
    """EventBridge: keeps what is put on a bus."""

    service = "events"

    def __init__(self, letters: list[Letter]) -> None:
        self._letters = letters

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, object]:
        """Take a record."""
        (entry,) = Entries
        self._letters.append((entry["EventBusName"], None, entry["Detail"]))
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}


class Functions:
    """Lambda: keeps what functions are invoked with."""

    service = "lambda"

    def __init__(self, letters: list[Letter]) -> None:
        self._letters = letters

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:
        """Take a record."""
        assert InvocationType == "Event"
        self._letters.append((FunctionName, None, Payload.decode()))
