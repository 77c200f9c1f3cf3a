from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import ReadTimeoutError

from overtime.contract.rescue import Rescue
from overtime.contract.runs import RunKey, RunState
from overtime.lambdas.dispatcher.config import Config
from overtime.lambdas.dispatcher.dispatch import Dispatcher, NotDispatchedError, Result
from overtime.lambdas.dispatcher.failure_record import UnreadableRecordError
from overtime.ledger.answers import LedgerUnavailableError
from overtime.ledger.pointers import ATTRIBUTE, Pointer, body
from overtime.ledger.store import RunLedger
from tests.doubles.crash import Crash, Fuse
from tests.doubles.ecs import Cluster, given, run_task
from tests.doubles.refusals import refused
from tests.doubles.task_ledger import TaskLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

EVENTS = Path(__file__).parents[2] / "events"
KEY = RunKey("report", "8b1f1a2c-5d0e-4f6a-9f0e-2f7c9f4f2a10")


def message(name: str, *, receives: int = 1, body: str | None = None) -> SQSRecord:
    record = json.loads((EVENTS / f"{name}.json").read_text())["Records"][0]
    record["attributes"]["ApproximateReceiveCount"] = str(receives)
    return SQSRecord(record if body is None else record | {"body": body})


def points_at(*, attempt: int, turn: int) -> SQSRecord:
    told = body(Pointer(key=KEY, attempt=attempt, turn=turn))
    named = {ATTRIBUTE: {"dataType": "String", "stringValue": str(KEY)}}
    return SQSRecord(message("dead_letter_timeout", body=told).raw_event | {"messageAttributes": named})


def config(queue: str, parking: str, *, subnet: str = "subnet-1") -> Config:
    return Config(
        function_name="report",
        function_arn="arn:aws:lambda:eu-west-1:123456789012:function:report",
        ledger_table="runs",
        ledger_bucket="runs-objects",
        runs_days=30,
        run_task=run_task(subnet),
        rescue=frozenset({Rescue.TIMEOUT, Rescue.OUT_OF_MEMORY}),
        lambda_attempts=3,
        queue_url=queue,
        parking_queue_url=parking,
        max_receive_count=5,
    )


class World:
    """The ledger, the cluster and the two queues, and a fresh dispatcher for each delivery."""

    def __init__(self, dynamodb: DynamoDBClient, s3: S3Client, sqs: SQSClient) -> None:
        self.dynamodb, self.s3, self.sqs, self.ecs = dynamodb, s3, sqs, Cluster()
        self.queue = sqs.create_queue(QueueName="failures")["QueueUrl"]
        self.parking = sqs.create_queue(QueueName="parking")["QueueUrl"]
        self.tasks = TaskLedger(dynamodb)
        self.ledger = RunLedger(table="runs", bucket="runs-objects", dynamodb=dynamodb, s3=s3)

    def dispatcher(self, fuse: Fuse | None = None, *, subnet: str = "subnet-1") -> Dispatcher:
        """Start a dispatcher."""
        wrap: Callable[[object], object] = fuse.wrap if fuse is not None else lambda client: client
        ledger = RunLedger(
            table="runs",
            bucket="runs-objects",
            dynamodb=cast("DynamoDBClient", wrap(self.dynamodb)),
            s3=cast("S3Client", wrap(self.s3)),
        )
        return Dispatcher(
            config=config(self.queue, self.parking, subnet=subnet),
            ledger=ledger,
            ecs=cast("ECSClient", wrap(self.ecs)),
            sqs=cast("SQSClient", wrap(self.sqs)),
        )

    def state(self) -> tuple[str, str | None] | None:
        """Read the run's state, and why it is in it."""
        run = self.ledger.get(KEY)
        return None if run is None else (run.state.value, run.reason)

    def pointer(self) -> SQSRecord:
        """Take the record that was put on the failure queue; its delay is SQS's business."""
        run = self.ledger.get(KEY)
        assert run is not None
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["All"])["Attributes"]
        assert (attributes["ApproximateNumberOfMessagesDelayed"], run.turn) == ("1", 1)
        return points_at(attempt=1, turn=1)

    def parked(self) -> list[str]:
        """Read what is on the parking queue."""
        found = self.sqs.receive_message(QueueUrl=self.parking, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return [each["Body"] for each in found.get("Messages", [])]


@pytest.fixture
def world(dynamodb: DynamoDBClient, s3: S3Client, sqs: SQSClient) -> World:
    return World(dynamodb, s3, sqs)


def test_a_timeout_becomes_one_task_that_knows_only_its_run(world: World) -> None:
    """The override names run and attempt; the event is in S3 as it was; the ledger names the task."""
    record = message("dead_letter_timeout")
    done = world.dispatcher().dispatch(record)
    assert (done.key, done.result) == (KEY, Result.STARTED)
    run = world.ledger.get(KEY)
    assert run is not None
    assert (run.state, run.task_arn) == (RunState.LAUNCHING, done.task_arn)
    assert world.ledger.event(KEY) == record.body.encode()
    (request,) = world.ecs.requests
    assert given(request) == {"OVERTIME_RUN_KEY": str(KEY), "OVERTIME_TASK_ATTEMPT": "1"}
    assert "sales" not in json.dumps(request)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, 6))
def test_a_crash_around_any_call_ends_in_one_task(world: World, call: int, *, after: bool) -> None:
    """Event, item, launching, RunTask, launched: die before or after each, deliver again, and there is one task."""
    fuse = Fuse(call, after=after)
    with pytest.raises(Crash):
        world.dispatcher(fuse).dispatch(message("dead_letter_timeout"))
    for receives in (2, 3):
        world.dispatcher().dispatch(message("dead_letter_timeout", receives=receives))
    assert len(world.ecs.tasks) == 1
    assert world.state() == ("launching", None)
    run = world.ledger.get(KEY)
    assert run is not None
    assert run.task_arn == world.ecs.tokens.popitem()[1]
    assert world.tasks.claim(KEY, 1, run.task_arn, "c")


def test_five_calls_are_all_there_are(world: World) -> None:
    """The crash test above covers every external call: a further one would have to be added to it."""
    fuse = Fuse(99, after=False)
    world.dispatcher(fuse).dispatch(message("dead_letter_timeout"))
    assert fuse.calls == 5


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, 4))
def test_a_crash_around_any_call_never_drops_what_is_not_rescued(world: World, call: int, *, after: bool) -> None:
    """Event, item, parking: die before or after each, deliver again, and the message is parked."""
    with pytest.raises(Crash):
        world.dispatcher(Fuse(call, after=after)).dispatch(message("dead_letter_handler_error"))
    world.dispatcher().dispatch(message("dead_letter_handler_error", receives=2))
    assert message("dead_letter_handler_error").body in world.parked()
    assert world.ecs.tasks == {}
    assert (world.state() or ("",))[0] == "skipped"


def test_what_is_not_rescued_is_kept_as_it_came(world: World) -> None:
    """The parking queue gets body and attributes, the ledger the reason, S3 the event."""
    record = message("dead_letter_handler_error")
    assert world.dispatcher().dispatch(record).result is Result.SKIPPED
    (parked,) = world.sqs.receive_message(QueueUrl=world.parking, MessageAttributeNames=["All"])["Messages"]
    assert parked["Body"] == record.body
    assert {name: value["StringValue"] for name, value in parked["MessageAttributes"].items()} == {
        name: value["stringValue"] for name, value in record.message_attributes.items()
    }
    assert world.state() == (
        "skipped",
        "not handed over: the failure is 'other' and the rule is out_of_memory, timeout",
    )
    assert world.ledger.event(KEY) == record.body.encode()


@pytest.mark.parametrize("finish", [None, RunState.SUCCEEDED, RunState.FAILED])
def test_a_duplicate_of_a_claimed_run_is_acknowledged(world: World, finish: RunState | None) -> None:
    """A late delivery starts nothing once the task has the run, whether it still runs or has finished."""
    task = world.dispatcher().dispatch(message("dead_letter_timeout")).task_arn or ""
    world.tasks.claim(KEY, 1, task, "c")
    if finish is not None:
        world.tasks.finish(KEY, 1, task, finish)
    before = world.ledger.get(KEY)
    assert world.dispatcher().dispatch(message("dead_letter_timeout")).result is Result.DUPLICATE
    assert (world.ledger.get(KEY), len(world.ecs.tasks)) == (before, 1)


def test_a_task_that_claims_before_its_launch_is_written_counts_as_started(world: World) -> None:
    """RunTask's answer may come after the task's first act; the claim stands and the run was started."""

    class Quick(Cluster):
        def run_task(self, *, cluster: str, clientToken: str, **request: object) -> dict[str, object]:  # noqa: N803
            answer = super().run_task(cluster=cluster, clientToken=clientToken, **request)
            world.tasks.claim(KEY, 1, self.tokens[clientToken], "c")
            return answer

    world.ecs = Quick()
    assert world.dispatcher().dispatch(message("dead_letter_timeout")).result is Result.STARTED
    assert world.state() == ("running", None)


FOR_A_PERSON: list[tuple[Exception | list[dict[str, str]], str]] = [
    ([{"arn": "a", "reason": "MISSING", "detail": "eu-west-1a"}], "MISSING .*eu-west-1a"),
    (refused("AccessDeniedException", text="not authorized to perform: ecs:RunTask"), "AccessDenied.*ecs:RunTask"),
    (refused("ClusterNotFoundException", text="Cluster not found."), "ClusterNotFoundException"),
]


@pytest.mark.parametrize(("answer", "reason"), FOR_A_PERSON)
def test_what_only_a_person_can_fix_leaves_the_run_queued_with_the_reason(
    world: World, answer: Exception | list[dict[str, str]], reason: str
) -> None:
    """A missing part, permission or cluster: the record stays on the queue, and once it is fixed, it works."""
    world.ecs.answers = [answer]
    with pytest.raises(NotDispatchedError, match=f"no task started for the run .*{reason}"):
        world.dispatcher().dispatch(message("dead_letter_timeout"))
    state, told = world.state() or ("", "")
    assert state == "queued"
    assert not (told or "").startswith("parked")
    assert world.dispatcher().dispatch(message("dead_letter_timeout", receives=2)).result is Result.STARTED
    assert world.state() == ("launching", None)


NO_CAPACITY = [{"arn": "a", "reason": "Capacity is unavailable at this time", "detail": "eu-west-1a"}]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([{"reason": "RESOURCE:MEMORY"}], "RESOURCE:MEMORY"),
        (NO_CAPACITY, "Capacity is unavailable at this time (eu-west-1a)"),
        (refused("ThrottlingException", text="Rate exceeded"), "ThrottlingException: Rate exceeded"),
    ],
)
def test_what_passes_by_itself_is_waited_for(
    world: World, answer: Exception | list[dict[str, str]], reason: str
) -> None:
    """Even at the last receive: the run is queued, and its pointer record alone brings it to its task."""
    world.ecs.answers = [answer]
    assert world.dispatcher().dispatch(message("dead_letter_timeout", receives=5)).result is Result.HELD
    assert world.state() == ("queued", reason)
    assert world.dispatcher().dispatch(world.pointer()).result is Result.STARTED
    assert (world.parked(), world.state()) == ([], ("launching", None))


UNCLEAR = [
    refused("ServerException", 500, "Service Unavailable"),
    ReadTimeoutError(endpoint_url="https://ecs"),
    refused("ConflictException", text="no task named"),
]


@pytest.mark.parametrize("answer", [*UNCLEAR, []], ids=lambda answer: type(answer).__name__)
def test_where_no_answer_tells_the_run_stays_launching(world: World, answer: Exception | list[dict[str, str]]) -> None:
    """A task may have started, so the run is not put back; its pointer record asks with the same token."""
    world.ecs.answers = [answer]
    assert world.dispatcher().dispatch(message("dead_letter_timeout", receives=5)).result is Result.HELD
    assert (world.state() or ("",))[0] == "launching"
    assert world.dispatcher().dispatch(world.pointer()).result is Result.STARTED
    assert (len(world.ecs.tasks), world.state()) == (1, ("launching", None))


def test_the_last_receive_says_that_the_record_is_parked(world: World) -> None:
    """Who finds a queued run that nobody launches any more reads where its record went."""
    world.ecs.answers = [[{"reason": "MISSING"}]]
    with pytest.raises(NotDispatchedError, match="parked after 5 receives"):
        world.dispatcher().dispatch(message("dead_letter_timeout", receives=5))
    assert world.state() == ("queued", "parked after 5 receives: MISSING")


def test_changed_settings_between_two_deliveries_still_name_the_same_task(world: World) -> None:
    """ECS refuses the same token with other subnets and names the task that is there: that is the run's task."""
    with pytest.raises(Crash):
        world.dispatcher(Fuse(4, after=True)).dispatch(message("dead_letter_timeout"))
    done = world.dispatcher(subnet="subnet-2").dispatch(message("dead_letter_timeout"))
    assert (len(world.ecs.tasks), done.task_arn) == (1, world.ecs.tokens.popitem()[1])


def test_a_forgotten_token_cannot_make_two_runs(world: World) -> None:
    """Should ECS start a second task a day later, only one of the two can claim, and only that one can finish."""
    with pytest.raises(Crash):
        world.dispatcher(Fuse(4, after=True)).dispatch(message("dead_letter_timeout"))
    first = world.ecs.tokens.popitem()[1]
    second = world.dispatcher().dispatch(message("dead_letter_timeout")).task_arn or ""
    assert first != second
    assert world.tasks.claim(KEY, 1, first, "c1")
    assert not world.tasks.claim(KEY, 1, second, "c2")
    assert not world.tasks.finish(KEY, 1, second, RunState.SUCCEEDED)
    assert world.dispatcher().dispatch(message("dead_letter_timeout")).result is Result.DUPLICATE


def test_a_relaunched_run_gets_a_task_of_its_own(world: World) -> None:
    """The next attempt has another token, so ECS starts another task for it."""
    first = world.dispatcher().dispatch(message("dead_letter_timeout")).task_arn or ""
    world.tasks.claim(KEY, 1, first, "c")
    world.ledger.relaunch(KEY, 1, "Spot took the host", held_by=first, expires_at=0)
    assert world.dispatcher().dispatch(message("dead_letter_timeout")).result is Result.DUPLICATE
    assert world.dispatcher().dispatch(points_at(attempt=2, turn=1)).result is Result.STARTED
    assert len(world.ecs.tasks) == 2
    assert not world.tasks.finish(KEY, 1, first, RunState.SUCCEEDED)


@pytest.mark.parametrize("crashes", [False, True])
def test_every_task_of_a_run_gets_the_version_that_failed(world: World, *, crashes: bool) -> None:
    """The record is read once; a later call, and a later attempt, have it from the ledger."""
    raw = json.loads(message("destination_timeout").body)
    raw["requestContext"]["functionArn"] = "arn:aws:lambda:eu-west-1:123456789012:function:report:live"
    raw["responseContext"]["executedVersion"] = "7"
    record = message("destination_timeout", body=json.dumps(raw))
    if crashes:
        with pytest.raises(Crash):
            world.dispatcher(Fuse(4, after=True)).dispatch(record)
    world.dispatcher().dispatch(record)
    run = world.ledger.get(KEY)
    assert run is not None
    assert (run.failure.version, run.failure.qualifier) == ("7", "live")
    world.ledger.relaunch(KEY, 1, "Spot", held_by=run.task_arn, expires_at=run.expires_at)
    world.dispatcher().dispatch(points_at(attempt=2, turn=0))
    assert [
        {name: value for name, value in given(task).items() if "FUNCTION" in name} for task in world.ecs.tasks.values()
    ] == [{"OVERTIME_FUNCTION_VERSION": "7", "OVERTIME_FUNCTION_QUALIFIER": "live"}] * 2


def test_a_cancelled_run_is_not_launched(world: World) -> None:
    """Who cancels a queued run stops its record and its pointer, too."""
    world.ecs.answers = [[{"reason": "RESOURCE:MEMORY"}]]
    world.dispatcher().dispatch(message("dead_letter_timeout"))
    world.ledger.cancel(KEY, 1, "by hand")
    assert world.dispatcher().dispatch(world.pointer()).result is Result.DUPLICATE
    assert world.dispatcher().dispatch(message("dead_letter_timeout")).result is Result.DUPLICATE
    assert world.ecs.tasks == {}


def test_garbage_leaves_no_trace(world: World) -> None:
    """What cannot be read makes no run, no object and no task."""
    with pytest.raises(UnreadableRecordError):
        world.dispatcher().dispatch(message("garbage_body"))
    assert world.s3.list_objects_v2(Bucket="runs-objects")["KeyCount"] == 0
    assert world.dynamodb.scan(TableName="runs")["Count"] == 0


def test_a_ledger_that_does_not_answer_leaves_the_record_to_the_queue(world: World) -> None:
    """No task is asked for that the ledger does not know of."""
    world.dynamodb.delete_table(TableName="runs")
    with pytest.raises(LedgerUnavailableError, match="'runs'"):
        world.dispatcher().dispatch(message("dead_letter_timeout"))
    assert world.ecs.tasks == {}


def test_a_parking_queue_that_is_gone_keeps_the_record(world: World) -> None:
    """A record that is not rescued is not acknowledged before it is parked."""
    world.sqs.delete_queue(QueueUrl=world.parking)
    with pytest.raises(NotDispatchedError, match="could not be sent to the parking queue"):
        world.dispatcher().dispatch(message("dead_letter_handler_error"))
