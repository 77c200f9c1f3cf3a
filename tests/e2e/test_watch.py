"""What breaks while a run is under way: its final state, and what its owner is told."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.demo.table import table
from overtime.contract.runs import RunState
from tests.e2e.chain import Chain, function, stack_of, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cloudwatch import CloudWatchClient

    from local.emulator.faults import Response, Stop
    from local.stack import Machine
    from overtime.contract.runs import RunKey
    from overtime.ledger.run import Run

pytestmark = pytest.mark.e2e

PLACES, RECORDS = 3, 50
TASK_ATTEMPTS = 2
OUTAGE_SECONDS = 30
LONG_SECONDS = 300
HIDDEN_SECONDS = 20
"""How long a record is hidden whose delivery the restarted emulator forgot; the program's queues: six time-outs."""


class Owner:
    """Whoever is told how runs ended: a queue that both destinations of every function name."""

    def __init__(self, chain: Chain, url: str) -> None:
        self.chain, self._url = chain, url
        self._sqs = chain.session.client("sqs")
        self._told: dict[str, list[dict[str, Any]]] = {}

    def told_of(self, key: RunKey) -> dict[str, Any]:
        """Wait for the record of a run."""
        found = until(lambda: self._receive().get(str(key), []), bool, f"the record of {key}")
        return found[0]

    def _receive(self) -> dict[str, list[dict[str, Any]]]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1
        )
        for message in answer.get("Messages", []):
            run = message["MessageAttributes"]["OvertimeRunKey"]["StringValue"]
            self._told.setdefault(run, []).append(json.loads(message["Body"]))
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self._told


@pytest.fixture(scope="module")
def watched(here: Machine) -> Iterator[Chain]:
    """Deploy functions whose owner is told of every end."""
    sqs = here.session.client("sqs")
    url = sqs.create_queue(QueueName="owner")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    told = {"destinations": {"on_success": arn, "on_failure": arn}}
    functions = {
        "naps": function("behaviours.naps", here.runtime, max_task_attempts=TASK_ATTEMPTS, **told),
        "limited": function("behaviours.naps", here.runtime, max_concurrent_runs=PLACES, **told),
        "hungry": function("behaviours.hungry", here.runtime, **told),
        "raises": function("behaviours.raises", here.runtime, **told),
        "spot": function("behaviours.naps", here.runtime, **told),
        "stubborn": function("behaviours.stubborn", here.runtime, **told),
        "late": function("behaviours.naps", here.runtime, **told),
    }
    functions["spot"]["task"] = {**functions["spot"]["task"], "capacity": "spot"}
    functions["stubborn"]["task"] = {**functions["stubborn"]["task"], "stop_timeout_seconds": 6}
    deployment = here.deployment(stack_of(functions, here.runtime, here.base.reference), stack="watched")
    try:
        yield Chain(here, deployment.up().outputs)
    finally:
        here.emulator.set_faults([])
        deployment.destroy(remove=True)
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture(scope="module")
def owner(watched: Chain) -> Owner:
    """Give the owner."""
    return Owner(watched, watched.session.client("sqs").get_queue_url(QueueName="owner")["QueueUrl"])


@pytest.fixture(scope="module", autouse=True)
def crowd(watched: Chain) -> list[RunKey]:
    """Send fifty events at once to a function that takes three; they run while the other tests do."""
    sqs, url = watched.session.client("sqs"), watched.output("limited", "queue_url")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(HIDDEN_SECONDS)})
    invocation = watched.invocation("limited")
    return [invocation.send(b'{"seconds": 0.5}') for _ in range(RECORDS)]


def begun(chain: Chain, key: str, seconds: float) -> Run:
    """Send a nap, and wait until its handler is at work."""
    invocation = chain.invocation(key)
    run_key = invocation.send(json.dumps({"seconds": seconds}).encode())
    run = until(
        lambda: invocation.ledger.get(run_key),
        lambda run: run is not None and run.state == RunState.RUNNING,
        f"the run {run_key} to begin",
    )
    assert run is not None
    chain.logged(key, lambda line: line == "napping", task_arn=run.task_arn or "")
    return run


def check(record: dict[str, Any], run: Run, *, error_type: str | None) -> None:
    """Hold a destination record against AWS's, field by field."""
    assert list(record) == [
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    ]
    context = record["requestContext"]
    assert record["version"] == "1.0"
    assert set(context) == {"requestId", "functionArn", "condition", "approximateInvokeCount"}
    assert context["requestId"] == run.key.request_id
    assert context["functionArn"].endswith(f":function:{run.key.function_name}:$LATEST")
    response = {"statusCode": 200, "executedVersion": "$LATEST"}
    if error_type is None:
        assert (context["condition"], record["responseContext"]) == ("Success", response)
    else:
        assert context["condition"] == "RetriesExhausted"
        assert record["responseContext"] == {**response, "functionError": "Unhandled"}
        assert record["responsePayload"]["errorType"] == error_type
        assert record["responsePayload"]["errorMessage"]
    print(json.dumps({"state": run.state, "reason": run.reason, "record": record}, indent=1))  # noqa: T201 - with -s


def test_a_success_is_told(watched: Chain, owner: Owner) -> None:
    run = watched.run("naps", b'{"seconds": 0}')
    record = owner.told_of(run.key)
    assert run.state == RunState.SUCCEEDED
    check(record, run, error_type=None)
    assert (record["requestPayload"], record["responsePayload"]) == ({"seconds": 0}, 0)


def test_an_error_of_the_handler_is_told_and_never_tried_again(watched: Chain, owner: Owner) -> None:
    run = watched.run("raises")
    check(owner.told_of(run.key), run, error_type="LookupError")
    assert (run.state, run.attempt) == (RunState.FAILED, 1)


def test_out_of_memory_is_told(watched: Chain, owner: Owner) -> None:
    run = watched.run("hungry")
    check(owner.told_of(run.key), run, error_type="Runtime.OutOfMemory")
    assert (run.state, run.attempt) == (RunState.FAILED, 1)


def test_a_container_that_is_killed_in_the_middle_of_a_handler(watched: Chain, owner: Owner) -> None:
    """`docker kill` is SIGKILL to the container's first process: the runner has no last word, so the watcher has."""
    run = begun(watched, "naps", LONG_SECONDS)
    container = f"overtime-{(run.task_arn or '').rpartition('/')[2]}-runner"
    docker = ["docker", "--host", watched.here.docker.host]
    subprocess.run([*docker, "kill", container], check=True, capture_output=True, timeout=60)
    ended = watched.finished("naps", run.key)
    check(owner.told_of(run.key), ended, error_type="Runtime.ExitError")
    assert (ended.state, ended.attempt) == (RunState.FAILED, 1)
    assert "signal: killed" in (ended.reason or "")


def test_a_task_that_a_person_stops(watched: Chain, owner: Owner) -> None:
    run = begun(watched, "naps", LONG_SECONDS)
    cluster = str(watched.outputs["cluster_arn"])
    watched.session.client("ecs").stop_task(cluster=cluster, task=run.task_arn or "", reason="wrong input")
    ended = watched.finished("naps", run.key)
    check(owner.told_of(run.key), ended, error_type="Runtime.ExitError")
    assert ended.state == RunState.CANCELLED


def test_a_task_that_is_stopped_and_whose_handler_does_not_listen(watched: Chain, owner: Owner) -> None:
    """SIGTERM is ignored; before the engine's SIGKILL the runner ends the handler and writes down how it was."""
    invocation = watched.invocation("stubborn")
    key = invocation.send(b"{}")
    run = until(
        lambda: invocation.ledger.get(key),
        lambda run: run is not None and run.state == RunState.RUNNING,
        f"the run {key} to begin",
    )
    assert run is not None
    watched.logged("stubborn", lambda line: line == "sleeping", task_arn=run.task_arn or "")
    cluster = str(watched.outputs["cluster_arn"])
    watched.session.client("ecs").stop_task(cluster=cluster, task=run.task_arn or "", reason="enough")
    ended = watched.finished("stubborn", key)
    check(owner.told_of(key), ended, error_type="Runtime.ExitError")
    assert (ended.state, ended.exit_code) == (RunState.CANCELLED, 1)


def test_a_run_that_takes_longer_than_it_may(watched: Chain, owner: Owner) -> None:
    """The settings' shortest `max_runtime` is a minute: a revision of the definition makes it two seconds here."""
    ecs, family = watched.session.client("ecs"), watched.output("late", "task_family")
    definition: Any = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    [container] = definition["containerDefinitions"]
    for variable in container["environment"]:
        if variable["name"] == "OVERTIME_MAX_RUNTIME_SECONDS":
            variable["value"] = "2"
    told = ("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt")
    known = {name: value for name, value in definition.items() if name not in (*told, "registeredBy")}
    revision = ecs.register_task_definition(**known)["taskDefinition"]["taskDefinitionArn"]
    try:
        run = watched.run("late", b'{"seconds": 300}')
    finally:
        ecs.deregister_task_definition(taskDefinition=revision)
    check(owner.told_of(run.key), run, error_type="Sandbox.Timedout")
    assert run.state == RunState.TIMED_OUT


def run_with_failing_starts(watched: Chain, reason: str, times: int) -> Run:
    """Send a nap whose first tasks ECS does not start, for this reason; wait for its end."""
    fails: Stop = {"code": "TaskFailedToStart", "reason": reason}
    watched.here.emulator.set_faults(
        [{"contains": watched.function("naps").name, "times": times, "fail_to_start": fails}]
    )
    try:
        return watched.finished("naps", watched.invocation("naps").send(b'{"seconds": 0}'))
    finally:
        watched.here.emulator.set_faults([])


def test_tasks_that_never_start_cost_no_attempt(watched: Chain, owner: Owner) -> None:
    """As many tasks as the run may have stop before the claim; the next one runs."""
    reason = "CannotPullContainerError: pull image manifest has been retried 7 time(s)"
    run = run_with_failing_starts(watched, reason, TASK_ATTEMPTS)
    check(owner.told_of(run.key), run, error_type=None)
    assert (run.state, run.attempt, run.unstarted) == (RunState.SUCCEEDED, TASK_ATTEMPTS + 1, TASK_ATTEMPTS)


def test_a_task_that_aws_has_no_capacity_for_is_no_attempt(watched: Chain, owner: Owner) -> None:
    """As many tasks as the run may have find no capacity; the next one does, and runs."""
    reason = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
    run = run_with_failing_starts(watched, reason, TASK_ATTEMPTS)
    check(owner.told_of(run.key), run, error_type=None)
    assert (run.state, run.attempt) == (RunState.SUCCEEDED, TASK_ATTEMPTS + 1)


def test_a_spot_task_that_aws_takes_away_is_launched_again_on_demand(watched: Chain, owner: Owner) -> None:
    invocation = watched.invocation("spot")
    stop: Stop = {"code": "SpotInterruption", "reason": "Your Spot Task was interrupted."}
    watched.here.emulator.set_faults([{"contains": watched.function("spot").name, "times": 1, "stop": stop}])
    try:
        key = invocation.send(b'{"seconds": 3}')
        run = until(
            lambda: invocation.ledger.get(key),
            lambda run: run is not None and run.attempt == 2 and run.finished,
            f"the second attempt of {key}",
        )
    finally:
        watched.here.emulator.set_faults([])
    assert run is not None
    check(owner.told_of(key), run, error_type=None)
    assert run.state == RunState.SUCCEEDED
    tasks = [watched.stopped(step.task_arn) for step in run.history if step.state == RunState.RUNNING and step.task_arn]
    assert tasks[-1].get("capacityProviderName", "FARGATE") == "FARGATE"


def test_the_ledger_is_gone_for_a_while_when_the_handler_returns(watched: Chain, owner: Owner) -> None:
    run = begun(watched, "naps", 3)
    gone: Response = {"status": 503, "body": {"__type": "ServiceUnavailable"}}
    watched.here.emulator.set_faults(
        [{"service": service, "for_seconds": OUTAGE_SECONDS, "respond": gone} for service in ("dynamodb", "s3")]
    )
    task = watched.stopped(run.task_arn or "")
    assert task["containers"][0]["exitCode"] == 0
    watched.here.emulator.set_faults([])
    ended = watched.finished("naps", run.key)
    check(owner.told_of(run.key), ended, error_type=None)
    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 1)
    assert ended.started_at is not None
    assert (task["stoppedAt"] - ended.started_at).total_seconds() > OUTAGE_SECONDS / 2


def test_aws_goes_away_and_comes_back_in_mid_run(watched: Chain, owner: Owner) -> None:
    run = begun(watched, "naps", 8)
    watched.here.emulator.restart(down_seconds=3)
    ended = watched.finished("naps", run.key)
    check(owner.told_of(run.key), ended, error_type=None)
    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 1)


def test_fifty_events_run_three_at_a_time_and_none_is_parked(watched: Chain, crowd: list[RunKey]) -> None:
    ledger = watched.invocation("limited").ledger
    runs = until(
        lambda: [ledger.get(key) for key in crowd],
        lambda runs: all(run is not None and run.finished for run in runs),
        "fifty runs",
        patience=600,
    )
    assert {run.state for run in runs if run} == {RunState.SUCCEEDED}
    assert len({run.task_arn for run in runs if run}) == RECORDS
    # The emulator was restarted meanwhile: a task that could not claim its run then was followed by another.
    launched = {step.task_arn for run in runs if run for step in run.history if step.task_arn}
    assert launched == set(watched.tasks("limited")), "a task of which the ledger does not know"
    tasks = [watched.stopped(arn) for arn in launched]
    moments = [(task["createdAt"], 1) for task in tasks] + [(task["stoppedAt"], -1) for task in tasks]
    alive = peak = 0
    for _, change in sorted(moments):
        alive += change
        peak = max(peak, alive)
    print(f"{RECORDS} runs, at most {peak} tasks at once")  # noqa: T201 - with -s
    assert peak <= PLACES
    sqs, parking = watched.session.client("sqs"), watched.output("limited", "parking_queue_url")
    found = sqs.get_queue_attributes(QueueUrl=parking, AttributeNames=["ApproximateNumberOfMessages"])
    assert found["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_the_dashboards_graphs_show_these_runs(watched: Chain) -> None:
    """Each graph's metrics are read as CloudWatch would draw them; those that these runs made are there."""
    cloudwatch = watched.session.client("cloudwatch")
    body = cloudwatch.get_dashboard(DashboardName=str(watched.outputs["dashboard_name"]))["DashboardBody"]
    graphs = [each["properties"] for each in json.loads(body)["widgets"] if each["type"] == "metric"]
    rows = [row for graph in graphs for row in data(cloudwatch, graph)]
    print(table(("graph", "metric", "of", "statistic", "value"), rows))  # noqa: T201 - with -s
    drawn = {row[1] for row in rows if row[4] != "-"}
    assert drawn >= {
        "RunsStarted",
        "RunsSucceeded",
        "RunsFailed",
        "RunsTimedOut",
        "RunsCancelled",
        "RunsRelaunched",
        "RunsHeld",
        "RunDuration",
        "FailureToHandlerStart",
    }


def data(cloudwatch: CloudWatchClient, graph: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Read the metrics of one graph over the last hour; `-` where there are none."""
    now = datetime.now(UTC)
    for namespace, name, *rest in graph["metrics"]:
        options = rest.pop() if isinstance(rest[-1], dict) else {}
        pairs = dict(zip(rest[::2], rest[1::2], strict=True))
        statistic = options.get("stat", graph.get("stat", "Sum"))
        wanted: Any = "Average" if statistic.startswith("p") else statistic
        found: Any = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in pairs.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=[wanted],
        )["Datapoints"]
        values: list[Any] = [point[wanted] for point in found]
        of = pairs.get("function_name") or next(iter(pairs.values()), "")
        yield graph.get("title", ""), name, of, statistic, f"{max(values):g}" if values else "-"
