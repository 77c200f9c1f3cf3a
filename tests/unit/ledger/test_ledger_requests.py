from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.emulator.patches.item_access import attributes
from overtime.contract import task_requests
from overtime.contract.expressions import ImpossibleStateError, bounded
from overtime.contract.runs import ENDS, TASK_ATTRIBUTES, TERMINAL_STATES, TRANSITIONS, RunKey, RunState
from overtime.ledger import reads, requests, wait_requests
from overtime.ledger.run import Failure, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        PutItemInputTypeDef,
        UpdateItemInputTypeDef,
    )

TABLE, KEY, NOW = "runs", RunKey("report", "r-1"), 1_700_000_000.0
TASK, OTHER_TASK = "arn:aws:ecs:eu-west-1:1:task/c/a", "arn:aws:ecs:eu-west-1:1:task/c/b"
Item = dict[str, "AttributeValueTypeDef"]
QUIET = {"hold", "park", "fall_back", "confirm", "count", "settle"}
"""Requests that add to what is known of a run and leave its state."""


SOURCES = {**requests.SOURCES, **wait_requests.SOURCES, **task_requests.SOURCES}
"""The states from which each request starts."""


def first(state: RunState = RunState.QUEUED) -> PutItemInputTypeDef:
    failure = Failure(
        form="dead_letter",
        error_code="200",
        error_message="Task timed out after 900.00 seconds",
        invoke_count=3,
        failed_at=datetime.fromtimestamp(NOW - 1, UTC),
        version="7",
        qualifier="live",
    )
    return requests.record(TABLE, NOW, KEY, b"{}", failure=failure, runs_days=30, state=state)


def operations(attempt: int, task: str) -> dict[str, tuple[str, UpdateItemInputTypeDef, RunState]]:
    """Every update there is, as (name in SOURCES, request, the state it ends in); a run has `task` or none."""
    about = (TABLE, NOW + 1, KEY, attempt)
    run = replace(Run.from_item(KEY, cast("Item", first(RunState.SKIPPED)["Item"])), attempt=attempt)
    table: dict[str, tuple[str, UpdateItemInputTypeDef, RunState]] = {
        "launching": ("launching", requests.launching(*about), RunState.LAUNCHING),
        "launched": ("launched", requests.launched(*about, task), RunState.LAUNCHING),
        "release": ("release", wait_requests.release(*about, "r"), RunState.QUEUED),
        "claim": ("claim", task_requests.claim(*about, task_arn=task, claim_id="c"), RunState.RUNNING),
        "abandon": ("abandon", requests.abandon(*about, "r", held_by=task), RunState.FAILED),
        "relaunch": ("relaunch", requests.relaunch(*about, "r", held_by=task, expires_at=0), RunState.QUEUED),
        "revive": ("revive", requests.revive(TABLE, NOW + 1, run, "r", runs_days=30), RunState.QUEUED),
        "hold": ("hold", wait_requests.hold(*about, turn=1, delay=0, reason="r"), RunState.QUEUED),
        "park": ("park", wait_requests.park(*about, "r", turn=0), RunState.QUEUED),
        "fall_back": ("fall_back", wait_requests.fall_back(*about, "r"), RunState.LAUNCHING),
        "confirm": ("confirm", requests.confirm(*about, held_by=task), RunState.CANCELLED),
        "count": ("count", requests.count(*about), RunState.FAILED),
        "reopen": (
            "reopen",
            requests.relaunch(*about, "r", held_by=task, expires_at=0, reopened=True),
            RunState.QUEUED,
        ),
        "reopen as failed": ("reopen", requests.abandon(*about, "r", held_by=task, reopened=True), RunState.FAILED),
        "cancel": ("cancel", requests.cancel(*about, "r"), RunState.CANCELLED),
    }
    for end in ENDS:
        finish = task_requests.finish(
            *about, task_arn=task, state=end, exit_code=0, result_size=1, executed_version="7"
        )
        table[f"finish as {end}"] = ("finish", finish, end)
    for end in TERMINAL_STATES:
        table[f"settle as {end}"] = ("settle", requests.settle(*about, "n", told=end), end)
    return table


def put(dynamodb: DynamoDBClient, state: RunState, *, task: str | None, attempt: int = 1) -> Item:
    item = cast("Item", dict(first()["Item"]))
    item["state"], item["attempt"] = {"S": state}, {"N": str(attempt)}
    if task is not None:
        item["task_arn"] = {"S": task}
    if state is RunState.CANCELLED:
        item["exit_code"] = {"N": "1"}
    dynamodb.put_item(TableName=TABLE, Item=item)
    return item


def sent(dynamodb: DynamoDBClient, request: UpdateItemInputTypeDef) -> Item | None:
    """Send an update; answer the item after it, or None where its condition refused."""
    try:
        return dynamodb.update_item(**request)["Attributes"]
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return None


@pytest.mark.parametrize("state", RunState)
def test_each_operation_does_what_the_table_allows_in_each_state(dynamodb: DynamoDBClient, state: RunState) -> None:
    """Every (state x operation), with and without a task: allowed exactly from SOURCES, and only along TRANSITIONS."""
    for task in (None, TASK):
        for label, (name, request, end) in operations(1, TASK).items():
            before = put(dynamodb, state, task=task)
            after = sent(dynamodb, request)
            unassigned = name in {"launched", "release", "hold", "park", "fall_back"}
            assigned = name in {"finish", "abandon", "relaunch", "reopen", "confirm"}
            fits = (task is None) if unassigned else (task == TASK or not assigned)
            fits &= name != "settle" or state is end
            assert (after is not None) == (state in SOURCES[name] and fits), (label, state, task)
            if after is None:
                assert dynamodb.get_item(**reads.get(TABLE, KEY))["Item"] == before
            else:
                assert after["state"]["S"] == (state if name in QUIET else end)
                assert state == after["state"]["S"] or end in TRANSITIONS[state]
                assert len(after["history"]["L"]) == (1 if name in QUIET else 2)


def test_the_table_holds_no_change_that_no_operation_makes() -> None:
    """TRANSITIONS is what the requests do, and nothing more."""
    made = {
        (source, end)
        for name, _, end in operations(1, TASK).values()
        for source in SOURCES[name]
        if source != end and name not in QUIET
    }
    assert made == {(source, end) for source, ends in TRANSITIONS.items() for end in ends}


@pytest.mark.parametrize("attempt", [1, 3])
def test_every_operation_is_fenced_by_the_attempt(dynamodb: DynamoDBClient, attempt: int) -> None:
    """An older attempt's task, and a request for one that is yet to come, change nothing in any state."""
    for state in RunState:
        before = put(dynamodb, state, task=TASK, attempt=2)
        assert [name for name, request, _ in operations(attempt, TASK).values() if sent(dynamodb, request)] == []
        assert dynamodb.get_item(**reads.get(TABLE, KEY))["Item"] == before


def test_only_the_task_that_claimed_can_finish(dynamodb: DynamoDBClient) -> None:
    """A second task of the same attempt cannot write the result."""
    put(dynamodb, RunState.RUNNING, task=TASK)
    assert sent(dynamodb, operations(1, OTHER_TASK)["finish as succeeded"][1]) is None
    assert sent(dynamodb, operations(1, TASK)["finish as succeeded"][1]) is not None


def test_no_operation_makes_a_run_out_of_nothing(dynamodb: DynamoDBClient) -> None:
    """An update of a run that was never recorded, or has expired, leaves no half item behind."""
    for _, request, _ in operations(1, TASK).values():
        assert sent(dynamodb, request) is None
    assert dynamodb.scan(TableName=TABLE)["Count"] == 0


def test_a_refused_claim_tells_a_lost_answer_from_a_restarted_container(dynamodb: DynamoDBClient) -> None:
    """The same process recognises its own claim; another process of the same task does not take it for its own."""
    put(dynamodb, RunState.LAUNCHING, task=TASK)
    request = operations(1, TASK)["claim"][1]
    assert sent(dynamodb, request) is not None
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as refused:
        dynamodb.update_item(**request)
    item = cast("Item", refused.value.response["Item"])  # type: ignore[typeddict-item]
    assert task_requests.claimed_by(item, attempt=1, task_arn=TASK, claim_id="c")
    assert not task_requests.claimed_by(item, attempt=1, task_arn=TASK, claim_id="another process")
    assert not task_requests.claimed_by(item, attempt=1, task_arn=OTHER_TASK, claim_id="c")
    assert not task_requests.claimed_by(item, attempt=2, task_arn=TASK, claim_id="c")


def test_a_refused_finish_tells_a_lost_answer_from_another_end(dynamodb: DynamoDBClient) -> None:
    """The task recognises the end that it wrote itself, and no other."""
    put(dynamodb, RunState.RUNNING, task=TASK)
    item = sent(dynamodb, operations(1, TASK)["finish as succeeded"][1])
    assert item is not None
    assert task_requests.finished_by(item, attempt=1, task_arn=TASK, state=RunState.SUCCEEDED)
    assert not task_requests.finished_by(item, attempt=1, task_arn=TASK, state=RunState.FAILED)
    assert not task_requests.finished_by(item, attempt=1, task_arn=OTHER_TASK, state=RunState.SUCCEEDED)


def test_a_relaunch_forgets_the_older_task(dynamodb: DynamoDBClient) -> None:
    """The next attempt starts without the task, the claim and the times of the one before."""
    put(dynamodb, RunState.LAUNCHING, task=TASK)
    sent(dynamodb, operations(1, TASK)["claim"][1])
    item = sent(dynamodb, operations(1, TASK)["relaunch"][1])
    assert item is not None
    assert (item["attempt"], item["history"]["L"][-1]["M"]["attempt"]) == ({"N": "2"}, {"N": "2"})
    assert not {"task_arn", "claim_id", "launching_at", "started_at"} & item.keys()


@pytest.mark.parametrize("by", ["cancel", "abandon", "confirm", "settle"])
def test_a_cancel_is_opened_again_only_until_it_is_known_to_be_final(dynamodb: DynamoDBClient, by: str) -> None:
    """What a person cancelled stays, whoever wrote it down, exit code or not; one that is settled has been told of."""
    about = (TABLE, NOW + 1, KEY, 1)
    final = {
        "cancel": requests.cancel(*about, "r"),
        "abandon": requests.abandon(*about, "r", held_by=TASK, state=RunState.CANCELLED, exit_code=137),
        "confirm": requests.confirm(*about, held_by=TASK),
        "settle": requests.settle(*about, "n", told=RunState.CANCELLED),
    }
    put(dynamodb, RunState.RUNNING if by in {"cancel", "abandon"} else RunState.CANCELLED, task=TASK)
    assert sent(dynamodb, final[by]) is not None
    assert sent(dynamodb, operations(1, TASK)["reopen"][1]) is None
    assert sent(dynamodb, operations(1, TASK)["reopen as failed"][1]) is None
    put(dynamodb, RunState.CANCELLED, task=TASK)
    assert sent(dynamodb, operations(1, TASK)["reopen"][1]) is not None


def test_a_settled_run_needs_no_confirmation(dynamodb: DynamoDBClient) -> None:
    """Nothing of it changes any more."""
    put(dynamodb, RunState.CANCELLED, task=TASK)
    assert sent(dynamodb, operations(1, TASK)["settle as cancelled"][1]) is not None
    assert sent(dynamodb, operations(1, TASK)["confirm"][1]) is None


def test_a_wait_goes_on_over_attempts_that_never_start(dynamodb: DynamoDBClient) -> None:
    """`queued_at` stays where the attempt never claimed the run, so that 14 days are 14 days in all."""
    put(dynamodb, RunState.LAUNCHING, task=TASK)
    request = requests.relaunch(TABLE, NOW + 60, KEY, 1, "r", held_by=TASK, expires_at=0, unstarted=1, remember=False)
    item = sent(dynamodb, request)
    assert item is not None
    run = Run.from_item(KEY, item)
    assert (run.attempt, run.unstarted, run.counted_attempts) == (2, 1, 1)
    assert (run.queued_at.timestamp(), len(run.history)) == (NOW, 1)
    again = sent(dynamodb, requests.relaunch(TABLE, NOW + 90, KEY, 2, "r", held_by=None, expires_at=0))
    assert again is not None
    run = Run.from_item(KEY, again)
    assert (run.attempt, run.unstarted, run.counted_attempts) == (3, 1, 2)
    assert (run.queued_at.timestamp(), len(run.history)) == (NOW + 90, 2)


def test_a_revived_run_is_open_again(dynamodb: DynamoDBClient) -> None:
    """Whatever its owner was told of the skip, it is found by the sparse index until its end is told."""
    put(dynamodb, RunState.SKIPPED, task=None)
    assert sent(dynamodb, operations(1, TASK)["settle as skipped"][1]) is not None
    item = sent(dynamodb, operations(1, TASK)["revive"][1])
    assert item is not None
    assert item["open"] == {"S": "report"}
    assert not {"settled_at", "notified"} & item.keys()
    assert sent(dynamodb, operations(1, TASK)["revive"][1]) is None


def test_a_watcher_that_decided_about_another_task_changes_nothing(dynamodb: DynamoDBClient) -> None:
    """Between its look and its write another task of the attempt may have claimed the run."""
    for state in (RunState.LAUNCHING, RunState.RUNNING):
        for held_by in (None, OTHER_TASK):
            put(dynamodb, state, task=TASK)
            closed = requests.abandon(TABLE, NOW, KEY, 1, "r", held_by=held_by)
            again = requests.relaunch(TABLE, NOW, KEY, 1, "r", held_by=held_by, expires_at=0)
            assert (sent(dynamodb, closed), sent(dynamodb, again)) == (None, None)


def test_turns_of_pointer_records_go_up_one_by_one(dynamodb: DynamoDBClient) -> None:
    """Two that hold the same run at once cannot both count: one of the two records is stale."""
    put(dynamodb, RunState.QUEUED, task=None)
    for turn, good in ((2, False), (1, True), (1, False), (2, True)):
        request = wait_requests.hold(TABLE, NOW, KEY, 1, turn=turn, delay=0, reason="full")
        assert (sent(dynamodb, request) is not None) is good


def test_a_claimed_run_waits_for_nothing(dynamodb: DynamoDBClient) -> None:
    """A task that claims while its record is held or parked: the running run shows neither time."""
    put(dynamodb, RunState.LAUNCHING, task=None)
    sent(dynamodb, operations(1, TASK)["hold"][1])
    sent(dynamodb, wait_requests.release(TABLE, NOW, KEY, 1, "AccessDenied", parked=True))
    waiting = dynamodb.get_item(**reads.get(TABLE, KEY))["Item"]
    assert {"due_at", "parked_at", "reason"} <= waiting.keys()
    item = sent(dynamodb, operations(1, TASK)["claim"][1])
    assert item is not None
    assert not {"due_at", "parked_at", "reason"} & item.keys()


def test_a_run_is_settled_once_and_leaves_the_sparse_index(dynamodb: DynamoDBClient) -> None:
    """`open` is there from the first write to the last."""
    assert first()["Item"]["open"] == {"S": "report"}
    put(dynamodb, RunState.FAILED, task=TASK)
    item = sent(dynamodb, operations(1, TASK)["settle as failed"][1])
    assert item is not None
    assert "open" not in item
    assert sent(dynamodb, operations(1, TASK)["settle as failed"][1]) is None


def test_a_run_is_settled_only_with_the_end_that_was_told(dynamodb: DynamoDBClient) -> None:
    """While an owner is told, a skipped run may be revived, and a cancelled one closed as failed: same attempt."""
    for told, now in itertools.permutations(sorted(TERMINAL_STATES), 2):
        put(dynamodb, now, task=TASK)
        assert sent(dynamodb, operations(1, TASK)[f"settle as {told}"][1]) is None, (told, now)
        assert sent(dynamodb, operations(1, TASK)[f"settle as {now}"][1]) is not None


def test_an_end_is_counted_once_and_anew_where_the_run_went_on(dynamodb: DynamoDBClient) -> None:
    """Also after it was settled; what a relaunch or a revival takes back is counted again when it ends again."""
    put(dynamodb, RunState.CANCELLED, task=TASK)
    assert sent(dynamodb, operations(1, TASK)["count"][1]) is not None
    assert sent(dynamodb, operations(1, TASK)["count"][1]) is None
    item = sent(dynamodb, operations(1, TASK)["reopen"][1])
    assert item is not None
    assert "counted_at" not in item
    put(dynamodb, RunState.CANCELLED, task=TASK)
    sent(dynamodb, operations(1, TASK)["count"][1])
    item = sent(dynamodb, operations(1, TASK)["reopen as failed"][1])
    assert item is not None
    assert "counted_at" not in item
    put(dynamodb, RunState.FAILED, task=TASK)
    assert sent(dynamodb, operations(1, TASK)["settle as failed"][1]) is not None
    item = sent(dynamodb, operations(1, TASK)["count"][1])
    assert item is not None
    assert Run.from_item(KEY, item).counted_at is not None


def test_launching_keeps_the_time_of_the_first_call(dynamodb: DynamoDBClient) -> None:
    """The age of RunTask's client token can be told after any number of releases."""
    put(dynamodb, RunState.QUEUED, task=None)
    for later in (10, 20):
        sent(dynamodb, requests.launching(TABLE, NOW + later, KEY, 1))
        sent(dynamodb, wait_requests.release(TABLE, NOW + later + 1, KEY, 1, "RESOURCE:MEMORY"))
    item = dynamodb.get_item(**reads.get(TABLE, KEY))["Item"]
    assert (item["launching_at"]["S"], item["reason"]["S"]) == ("2023-11-14T22:13:30.000Z", "RESOURCE:MEMORY")


def test_a_fallback_to_on_demand_is_on_record(dynamodb: DynamoDBClient) -> None:
    """With its reason, for whoever looks at the run before its task has started."""
    put(dynamodb, RunState.LAUNCHING, task=None)
    item = sent(dynamodb, wait_requests.fall_back(TABLE, NOW, KEY, 1, "Spot has no capacity"))
    assert item is not None
    assert (item["capacity"]["S"], item["reason"]["S"]) == ("on_demand", "Spot has no capacity")


@pytest.mark.parametrize(("steps", "remembers"), [(99, True), (100, False)])
def test_a_history_of_a_hundred_steps_is_long(steps: int, *, remembers: bool) -> None:
    item = cast("Item", first()["Item"])
    history: AttributeValueTypeDef = {"L": [item["history"]["L"][0]] * steps}
    assert Run.from_item(KEY, {**item, "history": history}).remembers is remembers


def test_a_run_that_is_tried_for_ever_does_not_outgrow_its_item(dynamodb: DynamoDBClient) -> None:
    """`remember=False` moves the run and leaves its history as it is."""
    put(dynamodb, RunState.QUEUED, task=None)
    sent(dynamodb, requests.launching(TABLE, NOW, KEY, 1, remember=False))
    item = sent(dynamodb, wait_requests.release(TABLE, NOW, KEY, 1, "r", remember=False))
    assert item is not None
    assert (item["state"]["S"], len(item["history"]["L"])) == ("queued", 1)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: first(RunState.RUNNING),
        lambda: task_requests.finish(TABLE, NOW, KEY, 1, task_arn=TASK, state=RunState.QUEUED),
        lambda: requests.abandon(TABLE, NOW, KEY, 1, "r", held_by=None, state=RunState.SKIPPED),
        lambda: wait_requests.hold(TABLE, NOW, KEY, 1, turn=0, delay=0, reason="r"),
        lambda: requests.settle(TABLE, NOW, KEY, 1, "n", told=RunState.RUNNING),
    ],
)
def test_a_request_for_an_impossible_state_is_not_written(ask: Callable[[], object]) -> None:
    """The mistake is told before anything is sent, with the states that are possible."""
    with pytest.raises(ImpossibleStateError, match="one of"):
        ask()


def test_a_tasks_requests_name_what_its_role_may_and_all_of_that() -> None:
    """Its policy allows these attributes; one more would be refused on AWS, and one too many is a right for nothing."""
    about = (TABLE, NOW, KEY, 1)
    made = (
        task_requests.claim(*about, task_arn=TASK, claim_id="c"),
        task_requests.finish(
            *about,
            task_arn=TASK,
            state=RunState.FAILED,
            reason="r",
            error_type="e",
            exit_code=1,
            result_size=1,
            executed_version="7",
        ),
    )
    named = {name for request in made for name in request["ExpressionAttributeNames"].values()}
    assert named | {"run_key"} == TASK_ATTRIBUTES
    assert not TASK_ATTRIBUTES & {"open", "settled_at", "notified", "expires_at", "held", "event_sha256", "failure"}
    for request in made:
        assert attributes(request) <= TASK_ATTRIBUTES


def test_every_request_goes_over_the_wire_as_it_is() -> None:
    """The runner sends these as JSON, with no SDK between."""
    for _, request, _ in operations(1, TASK).values():
        assert json.loads(json.dumps(request)) == request
    assert json.loads(json.dumps(first())) == first()


@given(st.text(st.characters(exclude_categories=()), max_size=50), st.integers(1, 60))
@example("half a pair: \ud800", 60)
def test_bounded_texts_are_always_storable_prefixes(text: str, longest: int) -> None:
    """Whatever an error says, what is kept fits, is valid UTF-8, and is how the text began."""
    kept, whole = bounded(text, longest).encode(), text.encode("utf-8", "replace")
    assert len(kept) <= longest
    assert whole.startswith(kept)
    assert kept == whole or len(kept) > longest - 4, "no more is left out than a character that does not fit"


def test_a_reason_is_shorter_in_the_history_than_in_the_run(dynamodb: DynamoDBClient) -> None:
    """Each change of a run adds to the history, and an item has a limit."""
    put(dynamodb, RunState.LAUNCHING, task=None)
    item = sent(dynamodb, wait_requests.release(TABLE, NOW, KEY, 1, 1_025 * "r"))
    assert item is not None
    assert (len(item["reason"]["S"]), len(item["history"]["L"][-1]["M"]["reason"]["S"])) == (1_024, 200)
