from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunKey, RunState
from overtime.ledger.answers import (
    AlreadyRecorded,
    LedgerUnavailableError,
    Moved,
    ObjectGoneError,
    Recorded,
    Refused,
)
from overtime.ledger.run import Failure, Run, UnreadableItemError
from overtime.ledger.store import RunLedger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, UpdateItemInputTypeDef
    from mypy_boto3_s3 import S3Client

    from tests.doubles.task_ledger import TaskLedger

KEY, TASK, EVENT = RunKey("report", "r-1"), "arn:aws:ecs:eu-west-1:1:task/c/a", b'{"n": 12345678901234567890, "n": 1.0}'
FAILURE = Failure(
    form="destination",
    error_code="RetriesExhausted",
    error_message="Task timed out after 900.00 seconds",
    invoke_count=3,
    failed_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
)


def recorded(ledger: RunLedger, key: RunKey = KEY) -> Run:
    answer = ledger.record(key, EVENT, failure=FAILURE, runs_days=30)
    assert isinstance(answer, Recorded)
    return answer.run


def moved(answer: Moved | Refused) -> Run:
    assert isinstance(answer, Moved)
    return answer.run


def test_a_recorded_run_reads_back_as_it_was_written(ledger: RunLedger) -> None:
    """What record answers is what get finds, with the event byte for byte in S3."""
    run = recorded(ledger)
    assert ledger.get(KEY) == run
    assert (run.state, run.attempt, run.failure) == (RunState.QUEUED, 1, FAILURE)
    assert (run.event_size, run.event_sha256) == (len(EVENT), hashlib.sha256(EVENT).hexdigest())
    assert ledger.event(KEY) == EVENT


def test_the_event_is_stored_as_json(ledger: RunLedger, s3: S3Client) -> None:
    """Whoever opens the object sees what it is."""
    recorded(ledger)
    assert s3.head_object(Bucket="runs-objects", Key=KEY.event_object)["ContentType"] == "application/json"


def test_a_duplicate_finds_the_run_as_it_stands(ledger: RunLedger) -> None:
    """The second record of one invocation changes neither the item nor the event."""
    recorded(ledger)
    run = moved(ledger.launching(KEY, 1))
    again = ledger.record(KEY, b"{}", failure=replace(FAILURE, error_code="500"), runs_days=1, state=RunState.SKIPPED)
    assert again == AlreadyRecorded(run)
    assert ledger.event(KEY) == EVENT


def test_a_run_never_exists_without_its_event(dynamodb: DynamoDBClient, s3: S3Client, ledger: RunLedger) -> None:
    """If S3 refuses, nothing is recorded, and the error says that retrying is safe."""
    nowhere = RunLedger(table="runs", bucket="nowhere", dynamodb=dynamodb, s3=s3)
    with pytest.raises(
        LedgerUnavailableError, match=r"'nowhere'\) could not store the event of report/r-1.*retrying is safe"
    ):
        nowhere.record(KEY, EVENT, failure=FAILURE, runs_days=30)
    assert ledger.get(KEY) is None


def test_a_run_goes_all_the_way(ledger: RunLedger, task_ledger: TaskLedger) -> None:
    """Every step is in the history with its time, attempt, task and reason."""
    recorded(ledger)
    ledger.launching(KEY, 1)
    ledger.launched(KEY, 1, TASK)
    assert task_ledger.claim(KEY, 1, TASK)
    assert task_ledger.finish(KEY, 1, TASK, RunState.FAILED, reason="'x'", error_type="KeyError", exit_code=1)
    run = ledger.get(KEY)
    assert run is not None
    assert [(step.state.value, step.task_arn, step.reason) for step in run.history] == [
        ("queued", None, None),
        ("launching", None, None),
        ("launching", TASK, None),
        ("running", TASK, None),
        ("failed", TASK, "'x'"),
    ]
    assert (run.finished, run.exit_code, run.error_type, run.task_arn) == (True, 1, "KeyError", TASK)
    assert run.created_at < (run.started_at or run.created_at) < (run.finished_at or run.created_at)


def test_a_refusal_shows_the_run(ledger: RunLedger) -> None:
    """Who was too late learns what happened instead, and of a run that is not there, nothing."""
    run = recorded(ledger)
    assert ledger.settle(KEY, 1, "told", told=RunState.FAILED) == Refused(run)
    assert ledger.abandon(RunKey("report", "r-2"), 1, "gone", held_by=None) == Refused(None)


def test_relaunch_release_abandon_and_cancel_keep_their_reasons(ledger: RunLedger) -> None:
    """A run says why it is where it is."""
    recorded(ledger)
    ledger.launching(KEY, 1)
    again = moved(ledger.relaunch(KEY, 1, "no capacity", held_by=None, expires_at=0))
    assert (again.attempt, again.reason) == (2, "no capacity")
    assert moved(ledger.launching(KEY, 2)).reason is None
    assert moved(ledger.release(KEY, 2, "RESOURCE:MEMORY")).reason == "RESOURCE:MEMORY"
    ledger.launching(KEY, 2)
    assert moved(ledger.abandon(KEY, 2, "image not found", held_by=None)).state is RunState.FAILED
    other = RunKey("report", "r-2")
    recorded(ledger, other)
    assert moved(ledger.cancel(other, 1, "by hand")).reason == "by hand"


def test_the_latest_attempts_result_is_read(ledger: RunLedger, s3: S3Client) -> None:
    """A result of an older attempt is never taken for the run's."""
    run = recorded(ledger)
    s3.put_object(Bucket="runs-objects", Key=KEY.result_object(1), Body=b"1")
    assert ledger.result(run) == b"1"
    with pytest.raises(LedgerUnavailableError, match=r"could not read 'results/report/r-1/2.json'"):
        ledger.result(replace(run, attempt=2))


def test_a_missing_table_is_named(dynamodb: DynamoDBClient, s3: S3Client) -> None:
    """Every way to the table ends in one error that names it."""
    lost = RunLedger(table="lost", bucket="runs-objects", dynamodb=dynamodb, s3=s3)
    for ask in (
        lambda: lost.get(KEY),
        lambda: list(lost.open_keys()),
        lambda: lost.cancel(KEY, 1, "x"),
        lambda: lost.record(KEY, EVENT, failure=FAILURE, runs_days=1),
    ):
        with pytest.raises(LedgerUnavailableError, match="table 'lost'"):
            ask()


def test_a_foreign_item_is_told_by_its_key(dynamodb: DynamoDBClient, ledger: RunLedger) -> None:
    """An item that the ledger did not write is an error, not a run with holes."""
    dynamodb.put_item(TableName="runs", Item={"run_key": {"S": str(KEY)}, "state": {"S": "odd"}})
    with pytest.raises(UnreadableItemError, match="'report/r-1' cannot be read"):
        ledger.get(KEY)


def test_what_is_open_is_found_with_and_without_the_sparse_index(dynamodb: DynamoDBClient, s3: S3Client) -> None:
    """The index holds what is not settled and nothing else; who has none reads the whole table and finds the same."""
    dynamodb.create_table(
        TableName="indexed",
        KeySchema=[{"AttributeName": "run_key", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "run_key", "AttributeType": "S"},
            {"AttributeName": "open", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "open",
                "KeySchema": [{"AttributeName": "open", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    ledger = RunLedger(table="indexed", bucket="runs-objects", dynamodb=dynamodb, s3=s3)
    done, waiting = RunKey("report", "r-1"), RunKey("report", "r-2")
    for key in (done, waiting):
        recorded(ledger, key)
    moved(ledger.cancel(done, 1, "by hand"))
    assert set(ledger.open_keys("open")) == {str(done), str(waiting)}
    moved(ledger.settle(done, 1, "told", told=RunState.CANCELLED))
    assert list(ledger.open_keys("open")) == list(ledger.open_keys()) == [str(waiting)]


def test_an_object_whose_time_is_over_is_told_from_a_bucket_that_does_not_answer(ledger: RunLedger) -> None:
    """A record for a destination goes without it; everything else is tried again."""
    with pytest.raises(ObjectGoneError, match="has expired, or was never written"):
        ledger.result(recorded(ledger))


def test_a_relaunch_never_shortens_the_life_of_an_item(ledger: RunLedger) -> None:
    """A run that waits and runs for weeks is not forgotten on its way."""
    run = recorded(ledger)
    kept = moved(ledger.relaunch(KEY, 1, "Spot", held_by=None, expires_at=run.expires_at))
    assert kept.expires_at == run.expires_at
    longer = moved(ledger.relaunch(KEY, 2, "Spot", held_by=None, expires_at=0))
    assert longer.expires_at > int(longer.queued_at.timestamp()) + 27 * 86_400


def test_whose_run_it_is_comes_from_the_key_and_nothing_else(dynamodb: DynamoDBClient, ledger: RunLedger) -> None:
    """A function's role may write attributes of its own items: none of them makes an item another function's run."""
    recorded(ledger)
    other = RunKey("bills", "r-9")
    for attribute, lie in (("function_name", other.function_name), ("request_id", other.request_id)):
        written(dynamodb, attribute, {"S": lie})
    run = ledger.get(KEY)
    assert run is not None
    assert run.key == KEY
    for answer in (
        ledger.record(KEY, EVENT, failure=FAILURE, runs_days=30),
        ledger.settle(KEY, 1, "told", told=RunState.FAILED),
        ledger.launching(KEY, 1),
    ):
        assert answer.run is not None
        assert answer.run.key == KEY


def written(dynamodb: DynamoDBClient, attribute: str, value: AttributeValueTypeDef | None) -> None:
    """Write one attribute of the run's item as its function's role might, or remove it."""
    request: UpdateItemInputTypeDef = {
        "TableName": "runs",
        "Key": {"run_key": {"S": str(KEY)}},
        "UpdateExpression": "REMOVE #a" if value is None else "SET #a = :a",
        "ExpressionAttributeNames": {"#a": attribute},
    }
    if value is not None:
        request["ExpressionAttributeValues"] = {":a": value}
    dynamodb.update_item(**request)


TIMES = ("created_at", "updated_at", "queued_at", "started_at", "finished_at", "settled_at", "due_at", "parked_at")
COUNTS = ("unstarted", "attempt", "event_size", "result_size", "expires_at", "turn", "without_capacity", "exit_code")
NEEDED = ("state", "attempt", "created_at", "updated_at", "event_size", "event_sha256", "failure", "history")
STEP = {"M": {"state": {"S": "lost"}, "at": {"S": "x"}, "attempt": {"N": "0"}}}
GARBAGE: list[tuple[str, object]] = [
    *((name, None) for name in (*NEEDED, "expires_at")),
    *((name, {"L": []}) for name in (*TIMES, *COUNTS, "state", "task_arn", "reason", "failure", "cancelled_by")),
    *((name, {"S": text}) for name in TIMES for text in ("", "2026-01-02T03:04:05", "99999-01-02T03:04:05.000Z")),
    *((name, {"N": number}) for name in COUNTS for number in ("1" + 37 * "0", "-1" + 37 * "0", "1.5")),
    *((name, {"S": 100_000 * "x"}) for name in ("task_arn", "reason", "error_type", "notified")),
    ("attempt", {"N": "0"}),
    ("state", {"S": "done"}),
    ("history", {"L": [STEP]}),
    ("history", {"L": [{"S": "x"}]}),
    ("failure", {"M": {}}),
]


@pytest.mark.parametrize(("attribute", "value"), GARBAGE, ids=lambda part: str(part)[:40])
def test_what_the_ledger_would_not_have_written_is_one_error_of_one_item(
    dynamodb: DynamoDBClient, ledger: RunLedger, attribute: str, value: AttributeValueTypeDef | None
) -> None:
    """Wrong types, missing parts, absurd numbers, times and texts are told by the item's key, and by no other error."""
    recorded(ledger)
    written(dynamodb, attribute, value)
    with pytest.raises(UnreadableItemError, match="'report/r-1' cannot be read") as told:
        ledger.get(KEY)
    assert len(str(told.value)) < 3_000


def test_a_relaunch_prolongs_the_life_of_the_event_first(
    dynamodb: DynamoDBClient, s3: S3Client, ledger: RunLedger
) -> None:
    """The bucket ends objects by their age, which a copy in place begins anew; the event then outlives the item."""
    run = recorded(ledger)
    calls: list[str] = []
    for client in (dynamodb, s3):
        client.meta.events.register("before-call", lambda model, **_: calls.append(model.name))
    assert isinstance(ledger.relaunch(KEY, 7, "Spot", held_by=None, expires_at=run.expires_at), Refused)
    moved(ledger.relaunch(KEY, 1, "Spot", held_by=None, expires_at=run.expires_at))
    assert calls == 2 * ["CopyObject", "UpdateItem"]
    stored = s3.head_object(Bucket="runs-objects", Key=KEY.event_object)
    assert (stored["ContentType"], ledger.event(KEY)) == ("application/json", EVENT)


def test_a_run_is_relaunched_though_its_event_is_gone(ledger: RunLedger, s3: S3Client) -> None:
    """The runner finds it gone and closes the run, which says so; nobody could bring it back here."""
    run = recorded(ledger)
    s3.delete_object(Bucket="runs-objects", Key=KEY.event_object)
    assert moved(ledger.relaunch(KEY, 1, "Spot", held_by=None, expires_at=run.expires_at)).attempt == 2


def test_a_run_is_not_relaunched_while_its_event_cannot_be_kept(dynamodb: DynamoDBClient, s3: S3Client) -> None:
    """A missing right, say: the run stays as it is, and retrying is safe."""
    run = recorded(RunLedger(table="runs", bucket="runs-objects", dynamodb=dynamodb, s3=s3))
    nowhere = RunLedger(table="runs", bucket="nowhere", dynamodb=dynamodb, s3=s3)
    with pytest.raises(LedgerUnavailableError, match="could not keep the event of report/r-1"):
        nowhere.relaunch(KEY, 1, "Spot", held_by=None, expires_at=0)
    assert nowhere.get(KEY) == run


def test_attempts_that_an_older_version_did_not_count_are_not_counted_now(
    dynamodb: DynamoDBClient, ledger: RunLedger
) -> None:
    """The attribute was renamed while runs were open; the new name wins once it is written."""
    recorded(ledger)
    change = {"TableName": "runs", "Key": {"run_key": {"S": str(KEY)}}}
    old = {":two": {"N": "2"}, ":four": {"N": "4"}}
    dynamodb.update_item(
        **change,  # type: ignore[arg-type]
        UpdateExpression="SET without_capacity = :two, attempt = :four",
        ExpressionAttributeValues=old,
    )
    run = ledger.get(KEY)
    assert run is not None
    assert (run.unstarted, run.counted_attempts) == (2, 2)
    again = moved(ledger.relaunch(KEY, 4, "no address", held_by=None, expires_at=0, unstarted=run.unstarted + 1))
    assert (again.unstarted, again.counted_attempts) == (3, 2)
