"""Twelve incidents: what happens, minute by minute, and which alarms are to tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from overtime.contract.runs import RunState
from tests.doubles.refusals import refused
from tests.doubles.sqs import QUEUE
from tests.unit.alarms.stage import FUNCTION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.unit.alarms.stage import Stage

GONE = "arn:aws:s3:::gone"
FULL = [{"reason": "You've reached the limit on the number of vCPUs you can run concurrently"}]


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One kind of incident."""

    what: str
    begin: Callable[[Stage], None]
    raises: Mapping[str, tuple[int, int]]
    """The alarms that go to ALARM, each after so many minutes at least and at most."""
    minutes: int = 60
    """How long it is watched."""
    at: Mapping[int, Callable[[Stage], None]] = field(default_factory=dict)
    """What happens later, by the minute."""
    in_rounds: frozenset[str] = frozenset()
    """The alarms that only a round of the watcher raises."""


def _handler_fails(stage: Stage) -> None:
    task = stage.started("r-1")
    stage.world.finish(task, RunState.FAILED, b'{"errorType": "KeyError"}')
    stage.stopped(task, "returned")


def _platform_fails(stage: Stage) -> None:
    stage.world.function = replace(stage.world.function, max_task_attempts=1)
    stage.stopped(stage.started("r-1"), "host")


def _destination_is_dead(stage: Stage) -> None:
    stage.world.function = replace(stage.world.function, on_success=GONE)
    task = stage.started("r-1")
    stage.world.finish(task, RunState.SUCCEEDED)
    stage.stopped(task, "returned")


def _watcher_is_off(stage: Stage) -> None:
    stage.clock_on = False


def _quota_is_used_up(stage: Stage) -> None:
    stage.answer = FULL
    stage.world.fail("r-1")


def _quota_is_free(stage: Stage) -> None:
    stage.answer = None


def _exception(stage: Stage) -> None:
    attributes = {"RequestID": "r-1", "ErrorCode": "200", "ErrorMessage": "'customer'"}
    stage.world.queues.send_message(
        QueueUrl=QUEUE,
        MessageBody="{}",
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )


def _refused(stage: Stage) -> None:
    stage.answer = refused("AccessDeniedException", 400)
    stage.world.fail("r-1")


def _item_is_broken(stage: Stage) -> None:
    """Write what the function's role could."""
    stage.started("r-1")
    stage.world.dynamodb.update_item(
        TableName="runs",
        Key={"run_key": {"S": f"{FUNCTION}/r-1"}},
        UpdateExpression="SET attempt = :a",
        ExpressionAttributeValues={":a": {"S": "one"}},
    )


def _long_run(stage: Stage) -> None:
    stage.started("r-1")


def _event_is_lost(stage: Stage) -> None:
    stage.aws_counts("AWS/Lambda", "DeadLetterErrors", {"FunctionName": FUNCTION}, 1)


def _mapping_is_detached(stage: Stage) -> None:
    stage.mapping_on = False
    stage.world.fail("r-1")


def _dispatcher_is_throttled(stage: Stage) -> None:
    stage.throttled = True
    stage.world.fail("r-1")


def _dispatcher_is_back(stage: Stage) -> None:
    stage.throttled = False


INCIDENTS = (
    Incident(what="handler fails", begin=_handler_fails, raises={"failed": (0, 1)}),
    Incident(what="platform fails", begin=_platform_fails, raises={"platform-failed": (0, 1)}),
    Incident(what="destination dead", begin=_destination_is_dead, raises={"undelivered": (0, 1)}),
    Incident(what="watcher off", begin=_watcher_is_off, raises={"watcher-silent": (15, 25)}),
    Incident(
        what="quota for two hours",
        begin=_quota_is_used_up,
        at={120: _quota_is_free},
        raises={"long-wait": (60, 66)},
        minutes=180,
        in_rounds=frozenset({"long-wait"}),
    ),
    Incident(what="parked by exception", begin=_exception, raises={"skipped": (0, 1)}),
    # On the way: at ten minutes the record has failed twice.
    Incident(what="parked by refusal", begin=_refused, raises={"waiting": (10, 12), "parked": (24, 30)}),
    Incident(
        what="long run",
        begin=_long_run,
        raises={"long-run": (720, 726)},
        minutes=13 * 60,
        in_rounds=frozenset({"long-run"}),
    ),
    Incident(
        what="broken item",
        begin=_item_is_broken,
        raises={"watcher-unreadable": (0, 6)},
        in_rounds=frozenset({"watcher-unreadable"}),
    ),
    Incident(what="lost event", begin=_event_is_lost, raises={"lost": (0, 1)}),
    # Nobody ever recorded the run: the watcher finds its message, and counts it once.
    Incident(
        what="dispatcher throttled for an hour",
        begin=_dispatcher_is_throttled,
        at={60: _dispatcher_is_back},
        raises={"waiting": (10, 12), "parked": (24, 36)},
        minutes=180,
        in_rounds=frozenset({"parked"}),
    ),
    Incident(what="detached mapping", begin=_mapping_is_detached, raises={"waiting": (10, 12)}),
)
