"""The failure queue, with messages that go wrong: each ends in one task, or parked with a run that says why."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from overtime.contract.functions_table import FunctionSettings
from overtime.contract.runs import RunKey, RunState
from overtime.lambdas.watcher.parking import Parking
from overtime.ledger.looks import Looks
from tests.doubles.world import Figures
from tests.e2e.chain import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from overtime.ledger.run import Run
    from tests.e2e.chain import Chain

pytestmark = pytest.mark.e2e

HIDDEN_SECONDS = 2
RECEIVES = 5


@pytest.fixture(scope="module")
def queue(chain: Chain) -> Iterator[Queue]:
    """Give a failure queue that delivers again after seconds instead of minutes."""
    yield (queue := Queue(chain, "echo"))
    queue.deliver()


class Queue:
    """A function's failure queue, with deliveries to the dispatcher that can be held back."""

    def __init__(self, chain: Chain, key: str) -> None:
        self.chain, self.key = chain, key
        self.sqs, self.functions = chain.session.client("sqs"), chain.session.client("lambda")
        self.url, self.parking_url = chain.output(key, "queue_url"), chain.output(key, "parking_queue_url")
        self.dispatcher = chain.output(key, "dispatcher_name")
        [mapping] = self.functions.list_event_source_mappings(FunctionName=self.dispatcher)["EventSourceMappings"]
        self.mapping = mapping["UUID"]
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"VisibilityTimeout": str(HIDDEN_SECONDS)})

    def hold(self) -> None:
        """Deliver nothing from now on."""
        self._switch(enabled=False, state="Disabled")

    def deliver(self) -> None:
        """Deliver what has gathered."""
        self._switch(enabled=True, state="Enabled")

    def send(self, *request_ids: str, body: str = "{}") -> None:
        """Put failure records of timed-out invocations on the queue at once."""
        self.send_entries(*(entry(request_id, body) for request_id in request_ids))

    def send_entries(self, *entries: SendMessageBatchRequestEntryTypeDef) -> None:
        """Put messages on the queue at once."""
        numbered = [{**each, "Id": str(number)} for number, each in enumerate(entries)]
        answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=numbered)  # type: ignore[arg-type]
        assert len(answer["Successful"]) == len(entries)

    def size(self, url: str) -> int:
        """Count a queue's messages, hidden ones too."""
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    def parked(self) -> list[str]:
        """Take what is parked off the parking queue: the request id of each, or its body where there is none."""
        found: list[str] = []
        while self.size(self.parking_url):
            answer = self.sqs.receive_message(
                QueueUrl=self.parking_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1
            )
            for message in answer.get("Messages", []):
                attributes = message.get("MessageAttributes", {})
                found.append(attributes["RequestID"]["StringValue"] if attributes else message["Body"])
                self.sqs.delete_message(QueueUrl=self.parking_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def found_parked(self, run: Run) -> bool:
        """Look for a run's record on the parking queue, as the watcher does."""
        settings = FunctionSettings(queue_url=self.url, parking_queue_url=self.parking_url)
        ledger = self.chain.invocation(self.key).ledger
        functions = {run.key.function_name: settings}
        parking = Parking(
            functions=functions,
            ledger=ledger,
            looks=Looks(
                table=self.chain.function(self.key).ledger_table, dynamodb=self.chain.session.client("dynamodb")
            ),
            sqs=self.sqs,
            meter=Figures(),
            noted=lambda *_: None,
        )
        parking.look(run.key.function_name, time.time() + 2 * 3_600)  # whenever the stack's own watcher looked last
        return parking.find(run)

    def empty(self) -> None:
        """Wait until nothing is left on the queue."""
        until(lambda: self.size(self.url), lambda size: size == 0, f"{self.url} to be empty")

    def run(self, request_id: str) -> Run | None:
        """Read the run of a request."""
        return self.chain.invocation(self.key).ledger.get(self.run_key(request_id))

    def run_key(self, request_id: str) -> RunKey:
        """Name the run of a request."""
        return RunKey(self.chain.function(self.key).name, request_id)

    def finished(self, request_id: str) -> Run:
        """Wait for the end of a request's run."""
        return self.chain.finished(self.key, self.run_key(request_id))

    def new_tasks(self, before: list[str]) -> list[str]:
        """List the tasks that were started since."""
        return sorted(set(self.chain.tasks(self.key)) - set(before))

    def _switch(self, *, enabled: bool, state: str) -> None:
        self.functions.update_event_source_mapping(UUID=self.mapping, Enabled=enabled)
        until(
            lambda: self.functions.get_event_source_mapping(UUID=self.mapping)["State"],
            lambda found: found == state,
            f"the event source mapping to be {state}",
        )


def entry(request_id: str, body: str) -> SendMessageBatchRequestEntryTypeDef:
    """Make the dead-letter message of a timed-out invocation."""
    message = f"2026-01-01T00:00:00.000Z {request_id} Task timed out after 900.00 seconds"
    return {
        "Id": "0",
        "MessageBody": body,
        "MessageAttributes": {
            "RequestID": {"DataType": "String", "StringValue": request_id},
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
            "ErrorMessage": {"DataType": "String", "StringValue": message},
        },
    }


def test_of_ten_messages_the_unreadable_and_the_refused_are_parked_and_eight_run(queue: Queue) -> None:
    emulator = queue.chain.here.emulator
    good = [f"ten-{number}" for number in range(8)]
    before = queue.chain.tasks(queue.key)
    refused = {"tasks": [], "failures": [{"reason": "MISSING", "arn": "arn:aws:ecs:eu-west-1:1:cluster/c"}]}
    emulator.set_faults(
        [
            {
                "service": "ecs",
                "action": "RunTask",
                "contains": "ten-refused",
                "respond": {"status": 200, "body": refused},
            }
        ]
    )
    queue.hold()
    queue.send_entries(
        *(entry(request_id, json.dumps({"number": request_id})) for request_id in good),
        entry("ten-refused", "{}"),
        {"Id": "0", "MessageBody": "this is no JSON"},
    )
    queue.deliver()
    try:
        runs = [queue.finished(request_id) for request_id in good]
        queue.empty()
    finally:
        emulator.set_faults([])

    assert {run.state for run in runs} == {RunState.SUCCEEDED}
    assert len({run.task_arn for run in runs}) == 8
    assert queue.new_tasks(before) == sorted(run.task_arn or "" for run in runs)
    kept = queue.run("ten-refused")
    assert kept is not None
    if kept.parked_at is None:  # a busy machine's last receive was spent without a dispatch: the watcher finds it out
        assert queue.found_parked(kept)
        kept = queue.run("ten-refused")
    assert sorted(queue.parked()) == ["ten-refused", "this is no JSON"]
    assert kept is not None
    assert (kept.state, kept.parked_at is not None) == (RunState.QUEUED, True)
    assert (kept.reason or "").startswith((f"parked after {RECEIVES} receives", "parked by the queue"))
    assert "MISSING" in (kept.reason or "")


def test_the_same_message_three_times_is_one_task_and_one_result(queue: Queue) -> None:
    before = queue.chain.tasks(queue.key)
    queue.hold()
    queue.send("thrice", "thrice", body='"once"')
    queue.deliver()
    queue.finished("thrice")
    run = until(
        lambda: queue.run("thrice"), lambda run: run is not None and run.settled_at is not None, "the run to be settled"
    )
    assert run is not None
    queue.send("thrice", body='"once"')
    queue.empty()

    assert queue.chain.document(queue.key, run) == "once"
    assert queue.new_tasks(before) == [run.task_arn]
    assert queue.run("thrice") == run, "a late duplicate changed a run that has ended"
    assert queue.parked() == []


def test_a_dispatcher_that_is_killed_right_after_run_task_starts_one_task(queue: Queue) -> None:
    """RunTask's answer is held back; its caller dies meanwhile, and the message is then delivered again."""
    emulator = queue.chain.here.emulator
    before = queue.chain.tasks(queue.key)
    emulator.set_faults(
        [
            {
                "service": "ecs",
                "action": "RunTask",
                "times": 1,
                "after": True,
                "hold_seconds": 4,
                "respond": {"status": 500, "body": {"__type": "ServerException"}},
            }
        ]
    )
    queue.hold()
    queue.send("killed")
    queue.deliver()
    try:
        until(lambda: queue.new_tasks(before), bool, "the task")
        assert kill_workers(str(emulator.settings.state_folder), queue.dispatcher), "no dispatcher was at work"
        run = queue.finished("killed")
        queue.empty()
    finally:
        emulator.set_faults([])

    assert run.state == RunState.SUCCEEDED
    assert queue.new_tasks(before) == [run.task_arn]
    assert queue.parked() == []


def kill_workers(folder: str, function_name: str) -> int:
    """Kill the emulator's processes for a function, as a host that fails would; returns how many there were."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            if folder in command and f"ministack-lambda-{function_name}-" in command:
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    return killed
