"""The sample primary: turns a CSV object of sales, however large, into a report object.

It is an ordinary handler that does not depend on overtime: it reads its object in ranges, keeps exact totals per store,
and writes one JSON report. If an object takes longer than Lambda allows, the same code finishes on Fargate.

Event: `{"bucket": str, "key": str, "report_key": str, "chunk_bytes": int (optional)}`.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import time
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    from mypy_boto3_s3 import S3Client

    class Context(Protocol):
        """The part of Lambda's context object that this handler uses."""

        aws_request_id: str

        def get_remaining_time_in_millis(self) -> int:
            """Return the milliseconds until Lambda's timeout, or the run's deadline, ends this attempt."""
            ...


DEFAULT_CHUNK_BYTES = 4 * 1024 * 1024
PROGRESS_SECONDS = 1.0


def handler(event: Mapping[str, object], context: Context) -> dict[str, object]:
    """Aggregate `s3://bucket/key` and write the report to `s3://bucket/report_key`."""
    tell("started", context, event_sha256=digest(event), environment=os.environ.get("AWS_EXECUTION_ENV", ""))
    s3 = boto3.client("s3")
    bucket, key, report_key = (str(event[name]) for name in ("bucket", "key", "report_key"))
    chunk_bytes = int(str(event.get("chunk_bytes", DEFAULT_CHUNK_BYTES)))

    totals, told_at = Totals(), time.monotonic()
    for row in csv.DictReader(lines(s3, bucket, key, chunk_bytes)):
        totals.add(row)
        if totals.rows % 10_000 == 0 and time.monotonic() - told_at >= PROGRESS_SECONDS:
            told_at = time.monotonic()
            tell("progress", context, rows=totals.rows)

    body = report(totals)
    s3.put_object(Bucket=bucket, Key=report_key, Body=json.dumps(body).encode(), ContentType="application/json")
    tell("finished", context, rows=totals.rows)
    return {"report_key": report_key, "event_sha256": digest(event), "request_id": context.aws_request_id, **body}


class Totals:
    """Running totals of rows `{"store": str, "day": str, "amount": decimal text}`."""

    def __init__(self) -> None:
        self.rows = 0
        self.per_store: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.per_day: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)

    def add(self, row: Mapping[str, str]) -> None:
        """Add one row. Raise `decimal.InvalidOperation` if the amount is not a number."""
        amount = Decimal(row["amount"])
        self.rows += 1
        self.per_store[row["store"]] += amount
        self.per_day[row["store"], row["day"]] += amount


def report(totals: Totals) -> dict[str, object]:
    """Return rows, revenue, and revenue and best day per store; amounts as decimal text, stores in order."""
    best: dict[str, tuple[Decimal, str]] = {}
    for (store, day), amount in totals.per_day.items():
        best[store] = max(best.get(store, (amount, day)), (amount, day))
    return {
        "rows": totals.rows,
        "revenue": str(sum(totals.per_store.values(), Decimal())),
        "stores": {
            store: {"revenue": str(totals.per_store[store]), "best_day": best[store][1]}
            for store in sorted(totals.per_store)
        },
    }


def lines(s3: S3Client, bucket: str, key: str, chunk_bytes: int) -> Iterator[str]:
    """Yield the object's lines, with only one range of it in memory at a time."""
    size = s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
    rest = b""
    for start in range(0, size, chunk_bytes):
        end = min(start + chunk_bytes, size) - 1
        body = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end}")["Body"].read()
        *whole, rest = (rest + body).split(b"\n")
        for line in whole:
            yield line.decode()
    if rest:
        yield rest.decode()


def digest(event: Mapping[str, object]) -> str:
    """Return the event's hash, which identifies it in the logs of all attempts without revealing it."""
    return hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()


def tell(what: str, context: Context, **more: object) -> None:
    """Log one line of JSON with the request id and the time left."""
    left = context.get_remaining_time_in_millis()
    print(json.dumps({"sample": what, "request_id": context.aws_request_id, "remaining_ms": left, **more}), flush=True)
