"""`python -m local.demo`: a function runs out of time on Lambda and finishes on Fargate, on this computer.

Exit status 0 says that the right result came of it, out of the container, and that nothing is left.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.demo import bucket, sales
from local.demo.invocation import Deployed, Invocation
from local.demo.settings import changed, changes, dev_settings
from local.demo.story import Attempt, attempts, happenings
from local.demo.table import table
from local.emulator import EmulatorSettings
from local.stack import machine
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.demo.story import Snapshot
    from local.stack import Machine
    from overtime.automation import Event

WORK_SECONDS = 3.0
"""Pure computing in the function; reading the object in many small ranges about doubles it."""
CHUNK_BYTES = 64 * 1024
RETRY_SECONDS = 1.0
PATIENCE_SECONDS = 240


def main() -> int:
    """Run the demo and give the exit status."""
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="overtime-demo-") as folder:
            settings = EmulatorSettings(
                state_folder=Path(folder), enforce_iam=True, retry_base_seconds=RETRY_SECONDS, record_calls=True
            )
            with machine(settings, say) as here:
                right = _demo(here)
    except OvertimeError as error:
        sys.stderr.write(f"overtime: {error}\n")
        return 1
    say(f"{'The result is right' if right else 'THE RESULT IS WRONG'}. {time.monotonic() - began:.0f} s in all.")
    return 0 if right else 1


def _demo(here: Machine) -> bool:
    head("Set-up")
    different = changes(here.base)
    say(f"AWS: emulator at {here.emulator.endpoint}, IAM enforced")
    say("Pulumi.dev.yaml, with these settings changed for this computer:")
    for path, value in different.items():
        say(f"    {path} = {json.dumps(value)}")
    say(f"    wait before a retry on Lambda = {RETRY_SECONDS:g} s, doubled each time (AWS: 60 s)")

    deployment = here.deployment(changed(dev_settings(), different))
    head("pulumi up")
    deployed = deployment.up(show)
    try:
        outputs = deployed.outputs
        head("One invocation")
        right = _invoke(here, _deployed(outputs))
    finally:
        head("pulumi destroy")
        bucket.remove(here.session)
        deployment.destroy(show, remove=True)
    return right


def _invoke(here: Machine, deployed: Deployed) -> bool:
    session = here.session
    s3 = session.client("s3")
    sample = sales.make(sales.rows_that_take(WORK_SECONDS))
    bucket.make(session)
    s3.put_object(Bucket=bucket.NAME, Key="sales.csv", Body=sample.body)
    event = {"bucket": bucket.NAME, "key": "sales.csv", "report_key": "report.json", "chunk_bytes": CHUNK_BYTES}
    say(f"input: s3://{bucket.NAME}/sales.csv, {sample.rows:,} rows, {len(sample.body) / 2**20:.1f} MiB")

    invocation = Invocation(session, deployed)
    began = time.time()
    key = invocation.send(json.dumps(event).encode())
    say(f"+{0:6.1f} s  {deployed.name} invoked asynchronously, request id {key.request_id}")
    seen = _follow(invocation, began)

    result = json.loads(invocation.ledger.result(seen.run)) if seen.run and seen.run.result_size else {}
    report = json.loads(s3.get_object(Bucket=bucket.NAME, Key="report.json")["Body"].read()) if result else {}
    return _judge(seen, result, report, sample.expected, began)


def _follow(invocation: Invocation, began: float) -> Snapshot:
    """Tell the story while it happens, until the run has ended and its task has stopped."""
    told: set[str] = set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        seen = invocation.look()
        for happening in happenings(seen):
            line = f"+{max(happening.at - began, 0):6.1f} s  {happening.text}"
            if line not in told:
                told.add(line)
                say(line)
        if seen.run is not None and seen.run.finished and (seen.task is None or seen.task.stopped_at):
            return seen
        if time.monotonic() > deadline:
            say(f"Nothing more happened within {PATIENCE_SECONDS} s.")
            return seen
        time.sleep(0.3)


def _judge(
    seen: Snapshot, result: Mapping[str, Any], report: Mapping[str, Any], expected: Mapping[str, Any], began: float
) -> bool:
    head("What ran where")
    ran = attempts(seen)
    state = seen.run.state if seen.run else "no run"
    rows = [_row(each, began, state) for each in ran]
    say(
        table(("what ran", "began", "took", "time left at start", "end", "event seen (SHA-256)", "result"), rows),
        bare=True,
    )
    say("")
    checks = {
        "three attempts on Lambda, each timed out": [each.end for each in ran if each.on_lambda] == ["timed out"] * 3,
        "one execution in a container, state succeeded, exit code 0": (
            [each.on_lambda for each in ran].count(False) == 1
            and state == "succeeded"
            and seen.task is not None
            and seen.task.exit_code == 0
        ),
        "every attempt saw the same event": len({each.event_sha256 for each in ran}) == 1,
        "the handler's return value is in the ledger, and right": expected.items() <= result.items(),
        "the report that it wrote to S3 is right": report == expected,
    }
    for what, held in checks.items():
        say(f"{'yes' if held else 'NO '}  {what}")
    return all(checks.values())


def _row(attempt: Attempt, began: float, state: str) -> tuple[str, ...]:
    left = f"{attempt.remaining_ms / 1000:,.1f} s" if attempt.remaining_ms else "?"
    return (
        attempt.where,
        f"+{attempt.began - began:.1f} s",
        f"{attempt.seconds:.1f} s",
        left,
        attempt.end,
        (attempt.event_sha256 or "?")[:16],
        "none" if attempt.on_lambda else state,
    )


def _deployed(outputs: Mapping[str, Any]) -> Deployed:
    function = outputs["functions"]["report"]
    return Deployed(
        name=function["name"],
        log_group=function["log_group"],
        cluster_arn=outputs["cluster_arn"],
        ledger_table=outputs["ledger_table"],
        ledger_bucket=outputs["ledger_bucket"],
    )


def show(event: Event) -> None:
    """Show one step of a deployment."""
    say(str(event))


def head(text: str) -> None:
    """Show the title of a part."""
    sys.stdout.write(f"\n== {text} ==\n")
    sys.stdout.flush()


def say(line: str, *, bare: bool = False) -> None:
    """Show one line of progress."""
    sys.stdout.write(f"{line}\n" if bare or not line else f"overtime: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
