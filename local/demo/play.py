"""The demo's invocation: sent, followed while it happens, and judged."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.base_images import DEFAULT
from local.demo import bucket, sales
from local.demo.invocation import Deployed, Invocation
from local.demo.story import Attempt, Snapshot, attempts, happenings, logged, over
from local.demo.table import table
from overtime.contract.families import PYTHON
from overtime.contract.runtimes import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_s3 import S3Client

    from local.stack import Session

    Say = Callable[[str], None]

WORK_SECONDS = 3.0
"""Pure computing in the function; reading the object in many small ranges about doubles it."""
CHUNK_BYTES = 64 * 1024
READ_SECONDS = 5.0
"""How long a function that computes faster shall read, a range at a time."""
LATENCY_READS = 20
PATIENCE_SECONDS = 240
LOOK_SECONDS = 0.3
LOG_SECONDS = 20
"""How long the log's last lines are waited for once the task has stopped."""
DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of it."""

    seen: Snapshot
    table: str
    """What ran where, when, how long, with which end."""
    checks: Mapping[str, bool]
    """What has to hold, and whether it did."""


def play(session: Session, deployed: Deployed, say: Say, runtime: str = DEFAULT) -> Played:
    """Invoke the sample function on an object that takes it too long, and follow what comes of it."""
    s3 = session.client("s3")
    sample = sales.make(sales.rows_that_take(WORK_SECONDS))
    bucket.make(session)
    s3.put_object(Bucket=bucket.NAME, Key="sales.csv", Body=sample.body)
    slow = RUNTIMES[runtime].family is PYTHON
    chunk_bytes = CHUNK_BYTES if slow else _chunk_bytes(s3, len(sample.body))
    event = {"bucket": bucket.NAME, "key": "sales.csv", "report_key": "report.json", "chunk_bytes": chunk_bytes}
    say(f"input: s3://{bucket.NAME}/sales.csv, {sample.rows:,} rows, {len(sample.body) / 2**20:.1f} MiB")

    invocation = Invocation(session, deployed)
    began = time.time()
    key = invocation.send(json.dumps(event).encode())
    say(f"+{0:6.1f} s  {deployed.name} invoked asynchronously, request id {key.request_id}")
    seen = _follow(invocation, began, say)

    result = json.loads(invocation.ledger.result(seen.run)) if seen.run and seen.run.result_size else {}
    report = json.loads(s3.get_object(Bucket=bucket.NAME, Key="report.json")["Body"].read()) if result else {}
    return Played(seen=seen, table=_table(seen, began), checks=_checks(seen, result, report, sample.expected))


def _chunk_bytes(s3: S3Client, size: int) -> int:
    """Choose the ranges so small that reading them all, one after another, takes `READ_SECONDS` on this computer."""
    began = time.perf_counter()
    for _ in range(LATENCY_READS):
        s3.get_object(Bucket=bucket.NAME, Key="sales.csv", Range="bytes=0-1023")["Body"].read()
    reads = READ_SECONDS * LATENCY_READS / (time.perf_counter() - began)
    return max(int(size / reads), 1)


def _follow(invocation: Invocation, began: float, say: Say) -> Snapshot:
    """Tell the story while it happens, until the run has ended and its task has stopped."""
    told: set[str] = set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    ended = None
    while True:
        seen = invocation.look()
        for happening in happenings(seen):
            line = f"+{max(happening.at - began, 0):6.1f} s  {happening.text}"
            if line not in told:
                told.add(line)
                say(line)
        if over(seen):
            ended = ended or time.monotonic()
            if logged(seen) or time.monotonic() > ended + LOG_SECONDS:
                return seen
        if time.monotonic() > deadline:
            say(f"Nothing more happened within {PATIENCE_SECONDS} s.")
            return seen
        time.sleep(LOOK_SECONDS)


def _checks(
    seen: Snapshot, result: Mapping[str, Any], report: Mapping[str, Any], expected: Mapping[str, Any]
) -> dict[str, bool]:
    ran = attempts(seen)
    return {
        "three attempts on Lambda, each timed out": [each.end for each in ran if each.on_lambda] == ["timed out"] * 3,
        "one execution in a container, state succeeded, exit code 0": (
            [each.on_lambda for each in ran].count(False) == 1
            and seen.run is not None
            and seen.run.state == "succeeded"
            and seen.task is not None
            and seen.task.exit_code == 0
        ),
        "every attempt saw the same event": len({each.event_sha256 for each in ran} - {None}) == 1,
        "the handler's return value is in the ledger, and right": expected.items() <= result.items(),
        "the report that it wrote to S3 is right": report == expected,
    }


def _table(seen: Snapshot, began: float) -> str:
    state = seen.run.state if seen.run else "no run"
    head = ("what ran", "began", "took", "time left at start", "end", "event seen (SHA-256)", "result")
    return table(head, [_row(each, began, state) for each in attempts(seen)])


def _row(attempt: Attempt, began: float, state: str) -> tuple[str, ...]:
    left = attempt.remaining_ms
    return (
        attempt.where,
        f"+{attempt.began - began:.1f} s",
        f"{attempt.seconds:.1f} s",
        "?" if left is None else f"{left / 1000:.1f} s" if left < DAY_MS else f"{left / DAY_MS:.1f} days",
        attempt.end,
        (attempt.event_sha256 or "?")[:16],
        "none" if attempt.on_lambda else state,
    )
