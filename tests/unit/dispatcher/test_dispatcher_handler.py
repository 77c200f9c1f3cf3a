from __future__ import annotations

import importlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import BotoCoreError

from overtime.contract.runs import RunKey
from overtime.lambdas.dispatcher import handler as module
from overtime.lambdas.dispatcher.dispatch import Done, NotDispatchedError, Result
from overtime.lambdas.dispatcher.failure_record import UnreadableRecordError
from overtime.ledger.answers import LedgerUnavailableError
from overtime.ledger.pointers import PointerNotSentError
from overtime.ledger.run import UnreadableItemError
from tests.doubles.lambda_context import Context

if TYPE_CHECKING:
    from types import ModuleType

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from overtime.lambdas.dispatcher.dispatch import Dispatcher

EVENTS = Path(__file__).parents[2] / "events"
DONE = Done(key=RunKey("report", "r-1"), result=Result.STARTED, task_arn="arn:task")


@dataclass
class Scripted:
    """A dispatcher that meets what the test says, message by message."""

    answers: dict[str, Done | Exception]
    config: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(max_receive_count=5))
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
    handling: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logged: io.StringIO
) -> None:
    """One bad record, one that cannot be launched and one bug do not hold up the others; each is counted and logged."""
    scripted = Scripted(
        {
            "started": DONE,
            "unreadable": UnreadableRecordError("not ours"),
            "again": NotDispatchedError("RESOURCE:MEMORY"),
            "bug": KeyError("x"),
            "twice": Done(key=DONE.key, result=Result.DUPLICATE),
            "skipped": Done(key=DONE.key, result=Result.SKIPPED),
            "held": Done(key=DONE.key, result=Result.HELD),
        }
    )
    monkeypatch.setattr(handling, "dispatcher", lambda: scripted)
    answer = handling.handler(batch(*scripted.answers), Context("dispatcher"))
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
        "RunsHeld": [1.0],
    }
    lines = {line["message_id"]: line["message"] for line in map(json.loads, logged.getvalue().splitlines())}
    assert lines == {
        "started": "record started",
        "unreadable": "not ours",
        "again": "RESOURCE:MEMORY",
        "bug": "a record could not be dispatched",
        "twice": "record duplicate",
        "skipped": "record skipped",
        "held": "record held",
    }


@pytest.mark.parametrize(
    ("error", "metrics"),
    [
        (UnreadableRecordError("not ours"), {"RecordsUnreadable"}),
        (UnreadableItemError("no run"), set()),  # the watcher counts it in its next round
        (LedgerUnavailableError("no answer"), set()),
        (module.OutOfTimeError("late"), set()),
        (PointerNotSentError("no answer"), set()),
        (KeyError("a bug"), set()),
        (NotDispatchedError("not sent on"), {"LaunchFailed"}),
    ],
    ids=lambda given: type(given).__name__,
)
def test_whatever_fails_counts_as_parked_at_its_last_receive(
    handling: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    metrics: set[str],
) -> None:
    """Its last delivery sends it to the parking queue; the ledger has no run, or none that tells, to know it from."""
    monkeypatch.setattr(handling, "dispatcher", lambda: Scripted({"a": error}))
    counted = []
    for receives in ("4", "5"):
        given = batch("a")
        for record in given["Records"]:  # type: ignore[attr-defined]
            record["attributes"] = {**record["attributes"], "ApproximateReceiveCount": receives}
        handling.handler(given, Context("dispatcher"))
        emf = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        counted.append({metric["Name"] for each in emf for metric in each["_aws"]["CloudWatchMetrics"][0]["Metrics"]})
    assert counted == [metrics, metrics | {"RunsParked"}]


@pytest.mark.parametrize("parked", [True, False])
def test_what_the_ledger_says_of_parking_is_counted_and_nothing_else(
    handling: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, parked: bool
) -> None:
    """Once, and not where the run went on under another delivery."""
    error = NotDispatchedError("refused", parked=parked)
    monkeypatch.setattr(handling, "dispatcher", lambda: Scripted({"a": error}))
    given = batch("a")
    for record in given["Records"]:  # type: ignore[attr-defined]
        record["attributes"] = {**record["attributes"], "ApproximateReceiveCount": "5"}
    handling.handler(given, Context("dispatcher"))
    [emf] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert emf.get("RunsParked", []) == ([1.0] if parked else [])


def test_a_batch_that_fails_whole_is_still_answered(handling: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue gets every record back, and the execution environment lives on."""
    scripted = Scripted({"a": NotDispatchedError("x"), "b": NotDispatchedError("x")})
    monkeypatch.setattr(handling, "dispatcher", lambda: scripted)
    answer = handling.handler(batch("a", "b"), Context("dispatcher"))
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == ["a", "b"]


def test_nothing_of_an_event_is_logged(
    handling: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logged: io.StringIO,
) -> None:
    """Not even where the logger's own switch asks for the event."""
    monkeypatch.setattr(handling, "dispatcher", lambda: Scripted({"a": DONE, "b": KeyError("x")}))
    handling.handler(batch("a", "b"), Context("dispatcher"))
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
    answer = handling.handler(batch("a"), Context("dispatcher"))
    assert answer["batchItemFailures"] == [{"itemIdentifier": "a"}]
    assert "OVERTIME_FUNCTION_NAME is not set" in logged.getvalue()


def test_records_for_which_the_time_is_too_short_are_not_begun(
    handling: ModuleType, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    """A batch that ran into Lambda's timeout would come again whole; so it ends before, and names what is left."""
    scripted = Scripted({"a": DONE, "b": DONE, "c": DONE, "d": DONE})
    monkeypatch.setattr(handling, "dispatcher", lambda: scripted)
    enough = handling.ENOUGH_FOR_A_RECORD
    answer = handling.handler(batch(*scripted.answers), Context("dispatcher", left=[60_000, enough, enough - 1]))
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == ["c", "d"]
    assert scripted.seen == ["a", "b"]
    assert f"the message 'c' was not started: {enough - 1} ms of the dispatcher's time are left" in logged.getvalue()


@pytest.fixture
def made(handling: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Dispatcher:
    """Make the dispatcher as an execution environment does."""
    for name in ["FUNCTION_NAME", "FUNCTION_ARN", "LEDGER_TABLE", "LEDGER_BUCKET", "QUEUE_URL", "PARKING_QUEUE_URL"]:
        monkeypatch.setenv(f"OVERTIME_{name}", "x")
    run_task = '{"cluster": "c", "networkConfiguration": {}, "taskDefinition": "report"}'
    for name, value in {"RUN_TASK": run_task, "RESCUE": "any"}.items():
        monkeypatch.setenv(f"OVERTIME_{name}", value)
    monkeypatch.setenv("OVERTIME_FUNCTION_NAME", "report")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    for name in ("ATTEMPTS", "MAX_RECEIVE_COUNT", "RUNS_DAYS"):
        monkeypatch.setenv(f"OVERTIME_{name}", "1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    dispatcher: Dispatcher = handling.dispatcher()
    return dispatcher


def test_the_clients_are_made_once_and_give_up_soon(handling: ModuleType, made: Dispatcher) -> None:
    """A container makes its clients once; two tries with a pause of a second between are what the bound says."""
    assert handling.dispatcher() is made
    config = made.ecs.meta.config
    assert (config.retries, config.tcp_keepalive) == ({"mode": "standard", "total_max_attempts": 2}, True)
    assert 1000 * (2 * (config.connect_timeout + config.read_timeout) + 1) == handling.LONGEST_CALL
    assert handling.ENOUGH_FOR_A_RECORD <= 60_000 / 1.5, "most of the function's timeout is for records"


def test_no_call_is_begun_that_may_not_end_in_time(handling: ModuleType, made: Dispatcher) -> None:
    """However many calls a record takes and however slow each is, the batch is answered before Lambda's timeout."""

    def sent(**_: object) -> None:
        raise ConnectionAbortedError("this call was sent")

    for client, call in ((made.ecs, made.ecs.list_clusters), (made.sqs, made.sqs.list_queues)):
        client.meta.events.register("before-send", sent)
        handling.time_left.milliseconds = lambda: handling.LONGEST_CALL - 1
        with pytest.raises(BotoCoreError, match="the dispatcher's time is almost over"):
            call()
        handling.time_left.milliseconds = lambda: handling.LONGEST_CALL
        with pytest.raises(ConnectionAbortedError, match="was sent"):
            call()


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_record_that_runs_out_of_time_is_left_to_the_queue(
    handling: ModuleType, made: Dispatcher, logged: io.StringIO
) -> None:
    """The call that is not made reads as one that was not answered, which every later delivery can fix."""
    assert made.config.function_name == "report"
    answer = handling.handler(batch("a"), Context("dispatcher", left=[60_000, 1]))
    assert answer["batchItemFailures"] == [{"itemIdentifier": "a"}]
    assert "could not store the event of report/" in logged.getvalue()
    assert "the dispatcher's time is almost over" in logged.getvalue()
