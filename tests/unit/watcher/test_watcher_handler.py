from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from overtime.contract import metrics
from overtime.contract.runs import RunState
from overtime.lambdas.watcher import handler as module
from overtime.lambdas.watcher.config import Config
from overtime.lambdas.watcher.destinations import Destinations
from overtime.lambdas.watcher.verdict import MOST_REFUSALS
from overtime.lambdas.watcher.watch import UnsettledError
from overtime.ledger.answers import LedgerUnavailableError
from overtime.ledger.store import RunLedger
from tests.doubles.lambda_context import Context
from tests.doubles.world import EVENT, World

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from overtime.contract.runs import RunKey


def handle(event: dict[str, object], context: Context | None = None) -> None:
    module.handler(event, cast("LambdaContext", context or Context("watcher", left=[300_000])))


@pytest.fixture
def wired(dynamodb: DynamoDBClient, s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give the handler a watcher of the world, which counts with the handler's own meter."""
    world = World(dynamodb, s3)
    world.figures = module.meter  # type: ignore[assignment]
    world.noted = module._noted
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "overtime")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "watcher")
    monkeypatch.setattr(module, "watcher", world.watcher)
    config = Config(ledger_table="runs", ledger_bucket="b", cluster_arn="c", functions={})
    monkeypatch.setattr(module, "config", lambda: config)
    return world


def test_the_clients_are_made_once_and_give_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the minute that is kept for a run, no call takes more than about three quarters."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(
        module, "config", lambda: Config(ledger_table="runs", ledger_bucket="b", cluster_arn="c", functions={})
    )
    module.watcher.cache_clear()
    made = module.watcher()
    assert module.watcher() is made
    config: Any = made.sqs.meta.config  # the stubs leave out its attributes
    assert (config.retries, config.tcp_keepalive) == ({"mode": "standard", "total_max_attempts": 3}, True)
    assert 3 * (config.connect_timeout + config.read_timeout) <= 45
    module.watcher.cache_clear()


def test_an_event_ends_a_run_and_is_counted_by_function(wired: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures have two dimensions and no run's name; nothing of event or result is printed."""
    key, task = wired.start()
    wired.claim(task)
    wired.finish(task, RunState.SUCCEEDED, b'"a secret result"')
    wired.stop(task, "returned")
    handle({"detail-type": "ECS Task State Change", "detail": wired.cluster.tasks[task]})
    assert wired.run(key).settled_at is not None
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines() if "_aws" in line]
    names = []
    for emf in lines:
        (directive,) = emf["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == ("overtime", [["function_name", "service"]])
        names += [metric["Name"] for metric in directive["Metrics"]]
        assert (emf["function_name"], emf["service"]) == ("report", "watcher")
    assert names == ["RunsSucceeded", "RunDuration", "FailureToHandlerStart"]
    assert "r-1" not in json.dumps(lines)
    assert "secret" not in printed.out + printed.err
    assert EVENT.decode() not in printed.out + printed.err


def test_any_other_event_is_time_to_reconcile(wired: World) -> None:
    """The schedule's own event, or one by hand."""
    key, task = wired.start()
    wired.claim(task)
    wired.stop(task, "killed")
    handle({"overtime": "reconcile"})
    assert wired.run(key).state is RunState.FAILED


def test_what_cannot_be_done_fails_the_invocation(wired: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as an error of the function; the clock finds what is left."""
    _, task = wired.start()
    wired.stop(task, "spot")
    monkeypatch.setattr("overtime.lambdas.watcher.watch._MOST_LOOKS", 0)
    with pytest.raises(UnsettledError, match="The next round, within five minutes"):
        handle({"detail-type": "ECS Task State Change", "detail": wired.cluster.tasks[task]})


def test_reconciling_ends_before_lambda_ends_it(wired: World, caplog: pytest.LogCaptureFixture) -> None:
    """What there is no time for is left to the next time, and the log says how much that is."""
    key, task = wired.start()
    wired.claim(task)
    wired.stop(task, "killed")
    handle({"overtime": "reconcile"}, Context("watcher", left=[59_000]))
    assert wired.run(key).state is RunState.RUNNING
    (said,) = [vars(each) for each in caplog.records if each.message == "reconciled"]
    assert (said["levelname"], said["open_runs"], said["left_for_next_time"]) == ("WARNING", 0, 1)


def refuses(ledger: RunLedger, key: RunKey) -> None:
    raise LedgerUnavailableError(f"{ledger} does not answer about {key}")


def test_each_round_says_so_and_what_it_left(
    wired: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it left nothing, since its absence raises an alarm; it has the watcher's own name."""
    _, task = wired.start()
    wired.claim(task)

    def written() -> list[tuple[str, list[float]]]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "RunsLeft" in line]
        return [(line["function_name"], line["RunsLeft"]) for line in lines]

    handle({"overtime": "reconcile"})
    assert written() == [("watcher", [0])]
    handle({"overtime": "reconcile"}, Context("watcher", left=[59_000]))
    assert written() == [("watcher", [1])]
    monkeypatch.setattr(RunLedger, "get", refuses)
    handle({"overtime": "reconcile"})
    assert written() == [("watcher", [1])]


def test_an_item_that_cannot_be_read_is_counted_and_not_tried_again(
    wired: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the clock's call nor a stopped task's fails of what one function's role has written."""
    key, task = wired.start()
    wired.stop(task, "killed")
    broken = {"Key": {"run_key": {"S": str(key)}}, "ExpressionAttributeValues": {":a": {"S": "one"}}}
    wired.dynamodb.update_item(TableName="runs", UpdateExpression="SET attempt = :a", **broken)  # type: ignore[arg-type]
    watcher = Context("overtime-watcher", left=[300_000])
    handle({"overtime": "reconcile"}, watcher)
    handle({"detail-type": "ECS Task State Change", "detail": wired.cluster.tasks[task]}, watcher)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(line["function_name"], line["ItemsUnreadable"]) for line in lines if "ItemsUnreadable" in line]
    assert told == [("overtime-watcher", [1]), ("overtime-watcher", [1])]  # where the stack's one alarm looks
    assert [line["RunsLeft"] for line in lines if "RunsLeft" in line] == [[0]]


def test_what_both_count_is_one_metric(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever notices that a run was parked: the alarm looks at the dispatcher's metric."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "overtime")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "watcher")
    module.meter.measure("report", metrics.RUNS_PARKED)
    module.meter.measure("report", metrics.RUNS_FAILED)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {(each["service"], name) for each in lines for name in ("RunsParked", "RunsFailed") if name in each}
    assert told == {("dispatcher", "RunsParked"), ("watcher", "RunsFailed")}


def said_of_runs(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str, str | None, str]]:
    """List level, text, run, error type and reason of the lines that an alarm's query finds."""
    lines = [vars(each) for each in caplog.records if "reason" in vars(each)]
    return [(each["levelname"], each["message"], each["run_key"], each["error_type"], each["reason"]) for each in lines]


def test_why_tasks_stop_before_the_claim_is_in_the_log(wired: World, caplog: pytest.LogCaptureFixture) -> None:
    """Such a task has no log of its own: each relaunch, and the parking after the last, says what ECS said."""
    key, _ = wired.start()
    why = "the runner image could not be pulled: CannotPullContainerError: pull access denied"
    for number in range(MOST_REFUSALS):
        if number:
            wired.deliver()
        (task,) = wired.cluster.alive()
        wired.stop(task, "image")
        handle({"detail-type": "ECS Task State Change", "detail": wired.cluster.tasks[task]})
    assert wired.run(key).parked_at is not None
    queued = ("WARNING", "task stopped, run queued", str(key), "Overtime.ImagePull", why)
    parked = ("WARNING", "run parked", str(key), None, f"parked after 5 tasks that could not start: {why}")
    assert said_of_runs(caplog) == [queued] * MOST_REFUSALS + [parked]


def test_why_the_watcher_ended_a_run_is_in_the_log(wired: World, caplog: pytest.LogCaptureFixture) -> None:
    """Its function's log has nothing of it; what a person cancelled is no fault."""
    wired.function = replace(wired.function, max_task_attempts=1)
    lost, task = wired.start()
    wired.claim(task)
    wired.stop(task, "host")
    handle({"detail-type": "ECS Task State Change", "detail": wired.cluster.tasks[task]})
    stopped, task = wired.start("r-2")
    wired.stop(task, "cancelled")
    handle({"detail-type": "ECS Task State Change", "detail": wired.cluster.tasks[task]})
    waits = wired.fail("r-3")
    wired.cluster.answers = [[{"reason": "Capacity is unavailable at this time."}]]
    wired.deliver(len(wired.waiting()) - 1)
    wired.now += 15 * 86_400
    handle({"overtime": "reconcile"})
    first, second, third = said_of_runs(caplog)
    assert first[:4] == ("WARNING", "task stopped, run failed", str(lost), "Overtime.HostFailure")
    assert "That was task attempt 1 of 1" in first[4]
    assert second[:4] == ("INFO", "task stopped, run cancelled", str(stopped), "Overtime.Cancelled")
    assert third[:4] == ("WARNING", "run failed", str(waits), "Overtime.NoCapacity")
    assert third[4].startswith("waited 14 days")


class Over(BaseException):
    """Lambda ends the invocation: nothing of the function runs any more."""


def test_an_end_is_counted_though_lambda_ends_the_round(
    wired: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has it that the end was counted, so the metric must be out before an owner is told, which may hang."""
    printed: list[str] = []

    def hangs(*_: object) -> None:
        printed.extend(capsys.readouterr().out.splitlines())
        raise Over

    key, task = wired.start()
    wired.claim(task)
    wired.finish(task, RunState.FAILED)
    wired.stop(task, "returned")
    with monkeypatch.context() as patch:
        patch.setattr(Destinations, "send", hangs)
        with pytest.raises(Over):
            handle({"overtime": "reconcile"})
    assert wired.run(key).counted_at is not None
    assert [json.loads(line)["RunsFailed"] for line in printed if "RunsFailed" in line] == [[1]]
    handle({"overtime": "reconcile"})
    assert wired.run(key).settled_at is not None
    assert "RunsFailed" not in capsys.readouterr().out


def test_figures_that_cannot_be_written_fail_the_invocation(wired: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watcher's alarm tells of it, and the next round goes on."""

    def full(*_: object, **__: object) -> None:
        raise OSError("no room")

    key, task = wired.start()
    wired.claim(task)
    wired.stop(task, "killed")
    with monkeypatch.context() as patch:
        patch.setattr("aws_lambda_powertools.metrics.EphemeralMetrics.flush_metrics", full)
        with pytest.raises(OSError, match="no room"):
            handle({"detail-type": "ECS Task State Change", "detail": wired.cluster.tasks[task]})
    handle({"overtime": "reconcile"})
    assert wired.run(key).settled_at is not None
