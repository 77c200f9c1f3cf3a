from __future__ import annotations

import importlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambdas.dispatcher import handler as module
from lambdas.dispatcher.dispatch import Done, NotDispatchedError, Result
from lambdas.dispatcher.failure_record import UnreadableRecordError
from overtime.ledger.model import RunKey

if TYPE_CHECKING:
    from types import ModuleType

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

EVENTS = Path(__file__).parents[2] / "events"
DONE = Done(key=RunKey("report", "r-1"), result=Result.STARTED, task_arn="arn:task")


@dataclass
class Context:
    """What Lambda tells a handler, as far as the logger reads it."""

    function_name: str = "dispatcher"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:dispatcher"
    aws_request_id: str = "d-1"


@dataclass
class Scripted:
    """A dispatcher that meets what the test says, message by message."""

    answers: dict[str, Done | Exception]
    seen: list[str] = field(default_factory=list)

    def dispatch(self, record: SQSRecord) -> Done:
        """Answer, or raise."""
        self.seen.append(record.message_id)
        answer = self.answers[record.message_id]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def handling(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the handler as Lambda does, with the variables that the program sets."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "dispatcher")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "overtime")
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    return importlib.reload(module)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, handling: ModuleType) -> io.StringIO:
    """Collect what the handler logs; the logger itself keeps the first stdout that it met, another test's."""
    lines = io.StringIO()
    monkeypatch.setattr(handling.logger.registered_handler, "stream", lines)
    return lines


def batch(*names: str) -> dict[str, object]:
    record = json.loads((EVENTS / "dead_letter_timeout.json").read_text())["Records"][0]
    return {"Records": [record | {"messageId": name} for name in names]}


def test_every_record_succeeds_or_fails_by_itself(
    handling: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bad record, one that cannot be launched and one bug do not hold up the others; each is counted."""
    scripted = Scripted(
        {
            "started": DONE,
            "unreadable": UnreadableRecordError("not ours"),
            "again": NotDispatchedError("RESOURCE:MEMORY"),
            "bug": KeyError("x"),
            "twice": Done(key=DONE.key, result=Result.DUPLICATE),
            "skipped": Done(key=DONE.key, result=Result.SKIPPED),
        }
    )
    monkeypatch.setattr(handling, "dispatcher", lambda: scripted)
    answer = handling.handler(batch(*scripted.answers), Context())
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == ["unreadable", "again", "bug"]
    assert scripted.seen == list(scripted.answers)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (emf,) = [each for each in printed if "_aws" in each]
    (directive,) = emf["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "overtime"
    counted = {metric["Name"]: emf[metric["Name"]] for metric in directive["Metrics"]}
    assert counted == {
        "RunsStarted": [1.0],
        "RecordsUnreadable": [1.0],
        "LaunchFailed": [1.0],
        "DuplicateRecords": [1.0],
        "RunsSkipped": [1.0],
    }


def test_a_batch_that_fails_whole_is_still_answered(handling: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue gets every record back, and the execution environment lives on."""
    scripted = Scripted({"a": NotDispatchedError("x"), "b": NotDispatchedError("x")})
    monkeypatch.setattr(handling, "dispatcher", lambda: scripted)
    answer = handling.handler(batch("a", "b"), Context())
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == ["a", "b"]


def test_nothing_of_an_event_is_logged(
    handling: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logged: io.StringIO,
) -> None:
    """Not even where the logger's own switch asks for the event."""
    monkeypatch.setattr(handling, "dispatcher", lambda: Scripted({"a": DONE, "b": KeyError("x")}))
    handling.handler(batch("a", "b"), Context())
    assert "report/r-1" in logged.getvalue()
    printed = capsys.readouterr()
    everything = logged.getvalue() + printed.out + printed.err
    assert "sales" not in everything
    assert "Task timed out" not in everything


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_missing_variable_fails_the_batch_and_names_it(
    handling: ModuleType, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    """A dispatcher that was set up wrongly loses nothing and says what is missing."""
    monkeypatch.delenv("OVERTIME_FUNCTION_NAME", raising=False)
    answer = handling.handler(batch("a"), Context())
    assert answer["batchItemFailures"] == [{"itemIdentifier": "a"}]
    assert "OVERTIME_FUNCTION_NAME is not set" in logged.getvalue()


def test_the_clients_are_made_once_and_give_up_soon(handling: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container makes its clients once; each call is tried three times at most, with short waits."""
    names = "FUNCTION_NAME FUNCTION_ARN LEDGER_TABLE LEDGER_BUCKET CLUSTER_ARN TASK_FAMILY CONTAINER_NAME SUBNET_IDS "
    for name in (names + "SECURITY_GROUP_IDS PARKING_QUEUE_URL").split():
        monkeypatch.setenv(f"OVERTIME_{name}", "x")
    for name, value in {"ASSIGN_PUBLIC_IP": "DISABLED", "RESCUE": "any"}.items():
        monkeypatch.setenv(f"OVERTIME_{name}", value)
    for name in ("ATTEMPTS", "MAX_RECEIVE_COUNT", "RUNS_DAYS"):
        monkeypatch.setenv(f"OVERTIME_{name}", "1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    made = handling.dispatcher()
    assert handling.dispatcher() is made
    assert made.ecs.meta.config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert made.ecs.meta.config.connect_timeout + made.ecs.meta.config.read_timeout <= 15
