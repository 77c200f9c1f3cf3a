"""A thousand failure records at once, where ECS takes 20 calls a second and one answer in twenty is an error."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.doubles.ecs import run_task
from tests.faults.failure_flood import Dispatchers, histogram
from tests.faults.flood_servers import LedgerProcess, Queue, RunTask, Server
from tests.unit.conftest import BUCKET, REGION, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS, PER_SECOND, BURST, FAULTS, SEED = 1_000, 20, 20, 0.05, 20
VISIBILITY_SECONDS = 60
"""A sixth of the real 360, and more than any batch takes; delays of held records and RunTask's limit are real."""
AT_MOST_SECONDS = 110
TIMEOUT_SECONDS = 60
"""The dispatcher's, after which Lambda would end it."""


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with LedgerProcess() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield url


def test_a_thousand_records_at_once(ledger: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each becomes one run with one task: none lost, none twice, none parked, whatever RunTask answers."""
    run_task = RunTask(per_second=PER_SECOND, burst=BURST, faults=FAULTS, seed=SEED)
    queue = Queue(visibility_seconds=VISIBILITY_SECONDS, most_receives=5)
    for number in range(RECORDS):
        told = {"RequestID": f"r-{number}", "ErrorCode": "200", "ErrorMessage": "Task timed out after 9.00 seconds"}
        queue.send('{"n": 1}', {name: {"DataType": "String", "StringValue": value} for name, value in told.items()})
    with (
        Server(run_task, queue) as server,
        Dispatchers(queue, _environ(ledger, server.url), at_once=5, batch=10) as dispatchers,
    ):
        began = time.monotonic()
        while queue.waiting and time.monotonic() < began + AT_MOST_SECONDS:
            time.sleep(0.1)  # the flood takes as long as RunTask's limit makes it; the queue says when it is over
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    items = [item for page in dynamodb.get_paginator("scan").paginate(TableName=TABLE) for item in page["Items"]]
    with capsys.disabled():
        print("\n" + _figures(run_task, queue))  # noqa: T201 -- the figures are the point
        print(f"the longest batch took {dispatchers.longest_batch:.1f} s")  # noqa: T201 -- likewise
    assert not queue.waiting, f"{len(queue.waiting)} records still wait after {AT_MOST_SECONDS} s"
    assert not queue.parked
    assert dispatchers.longest_batch < TIMEOUT_SECONDS
    assert len(items) == RECORDS
    assert {item["state"]["S"] for item in items} == {"launching"}
    assert len({item["task_arn"]["S"] for item in items}) == RECORDS
    assert Counter(run_task.tasks) == {f"report/r-{number}": 1 for number in range(RECORDS)}
    assert min(run_task.outcomes.values()) > 0, "each kind of error came"


def _figures(run_task: RunTask, queue: Queue) -> str:
    passed = run_task.passed_at
    seconds = passed[-1] - passed[0]
    busy = passed[len(passed) * 9 // 10] - passed[0]
    share = len(passed) * 0.9 / (BURST + PER_SECOND * busy)
    own = [each.receives for each in queue.acknowledged if "RequestID" in each.attributes]
    pointers = [each.receives for each in queue.acknowledged if "RequestID" not in each.attributes]
    return "\n".join(
        (
            f"{len(run_task.tasks)} tasks in {seconds:.0f} s; RunTask: {dict(run_task.outcomes)}",
            f"calls within the limit: {len(passed) / seconds:.1f}/s in all, {share:.0%} of it until nine tenths",
            f"receives of the failure records: {histogram(own)}",
            f"receives of the {len(pointers)} pointer records: {histogram(pointers)}",
        )
    )


def _environ(ledger: str, server: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": ledger,
        "AWS_ENDPOINT_URL_ECS": server,
        "AWS_ENDPOINT_URL_SQS": server,
        "POWERTOOLS_SERVICE_NAME": "dispatcher",
        "POWERTOOLS_METRICS_NAMESPACE": "overtime",
        "OVERTIME_FUNCTION_NAME": "report",
        "OVERTIME_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:report",
        "OVERTIME_LEDGER_TABLE": TABLE,
        "OVERTIME_LEDGER_BUCKET": BUCKET,
        "OVERTIME_RUN_TASK": json.dumps(run_task()),
        "OVERTIME_RESCUE": "timeout",
        "OVERTIME_ATTEMPTS": "3",
        "OVERTIME_PARKING_QUEUE_URL": f"{server}/parking",
        "OVERTIME_QUEUE_URL": f"{server}/failures",
        "OVERTIME_MAX_RECEIVE_COUNT": "5",
        "OVERTIME_RUNS_DAYS": "30",
    }
