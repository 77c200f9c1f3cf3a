"""A function leaves its stack while a run is at work and others wait: nothing of theirs goes before they have ended.

The tests share one stack and stand in the order of its life; the last one destroys it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from local.inventory import inventory
from overtime.automation import Deployment, Diagnostic, ProtectedError, ResourceStep
from overtime.contract.runs import RunState
from overtime.notices import StillNeededError
from tests.e2e.chain import Chain, function, stack_of, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3.literals import BucketLocationConstraintType

    from local.inventory import Inventory
    from local.stack import Machine
    from overtime.automation import Event
    from overtime.contract.runs import RunKey

pytestmark = pytest.mark.e2e

BUCKET, GO = "overtime-drain-test", "go"


@dataclass
class Leaving:
    """A stack of two functions, of which `leaves` is to go."""

    here: Machine
    chain: Chain
    before: Inventory
    runs: list[RunKey] = field(default_factory=list)

    def deployment(self, *, enabled: bool = True, stays_only: bool = False, **more: Any) -> Deployment:
        """Give the stack with other settings."""
        functions = {"stays": function("app.handler", self.here.runtime)}
        if not stays_only:
            waits = {"permissions": [{"actions": ["s3:GetObject", "s3:ListBucket"], "resources": ARNS}]}
            functions["leaves"] = function(
                "behaviours.waits", self.here.runtime, max_concurrent_runs=1, enabled=enabled, **waits
            )
        settings = stack_of(functions, self.here.runtime, self.here.base.reference)
        return self.here.deployment({**settings, "retention": {}, **more}, stack="leaving")

    def send(self) -> RunKey:
        """Invoke `leaves` with an event that waits for the word."""
        return self.chain.invocation("leaves").send(f'{{"bucket": "{BUCKET}", "key": "{GO}"}}'.encode())

    def state(self, key: RunKey, *states: RunState) -> None:
        """Wait until a run is in one of these states."""
        ledger = self.chain.invocation("leaves").ledger
        until(lambda: ledger.get(key), lambda run: run is not None and run.state in states, f"{key} to be {states}")


ARNS = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]


@pytest.fixture(scope="module")
def leaving(here: Machine) -> Iterator[Leaving]:
    """Deploy it; one run of `leaves` is at work, another waits for its place."""
    s3 = here.session.client("s3")
    region = cast("BucketLocationConstraintType", here.emulator.settings.region)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    found = Leaving(here, Chain(here, {}), inventory(here.session))
    try:
        found.chain = Chain(here, found.deployment().up().outputs)
        found.runs.append(found.send())
        found.state(found.runs[0], RunState.RUNNING)
        found.runs.append(found.send())
        found.state(found.runs[1], RunState.QUEUED)
        yield found
    finally:
        s3.put_object(Bucket=BUCKET, Key=GO, Body=b"")
        s3.delete_object(Bucket=BUCKET, Key=GO)
        s3.delete_bucket(Bucket=BUCKET)
        force = found.deployment(retention={"force_destroy": True})
        force.up()
        force.destroy(remove=True)


def told(events: list[Event], severity: str) -> list[str]:
    """List what the program told; the engine may repeat it."""
    texts = [each.text for each in events if isinstance(each, Diagnostic) and each.severity == severity]
    print(texts)  # noqa: T201 - shown with -s
    return sorted({text for text in texts if "leaves" in text or "network" in text})


def test_a_function_at_work_cannot_be_removed(leaving: Leaving) -> None:
    """The preview counts what would go, and fails before anything is touched."""
    now = inventory(leaving.here.session)
    events: list[Event] = []
    with pytest.raises(StillNeededError) as refused:
        leaving.deployment(stays_only=True).up(events.append)
    print(refused.value)  # noqa: T201 - shown with -s
    assert "2 open runs, 1 message on the failure queue and 0 messages on the parking queue" in str(refused.value)
    assert not [each for each in events if isinstance(each, ResourceStep) and each.operation != "same"]
    assert inventory(leaving.here.session) == now


def test_a_network_that_changes_under_a_run_is_told(leaving: Leaving) -> None:
    events: list[Event] = []
    leaving.deployment(network={"availability_zones": 3}).preview(events.append)
    [text] = told(events, "warning")
    assert "network settings change while runs are open (2)" in text


def test_a_run_longer_than_the_accounts_task_retirement_is_told(leaving: Leaving) -> None:
    """The watcher reads the account's setting, in which an operator may have changed the 7 days."""
    ecs = leaving.here.session.client("ecs")
    events: list[Event] = []
    ecs.put_account_setting_default(name="fargateTaskRetirementWaitPeriod", value="0")
    try:
        leaving.deployment().preview(events.append)
    finally:
        ecs.delete_account_setting(name="fargateTaskRetirementWaitPeriod")
    [text] = told(events, "warning")
    assert "max_runtime of 'leaves', 'stays' is longer than the 0 days that Fargate waits" in text


def test_draining_takes_nothing_new(leaving: Leaving) -> None:
    """What fails from now on is parked, and can be moved back; a refresh changes nothing of it."""
    events: list[Event] = []
    leaving.deployment(enabled=False).up(events.append)
    assert any("'leaves' is draining: 2 open runs" in text for text in told(events, "warning"))
    leaving.deployment(enabled=False).refresh()
    new = leaving.send()
    leaving.state(new, RunState.SKIPPED)
    sqs, parking = leaving.here.session.client("sqs"), leaving.chain.output("leaves", "parking_queue_url")
    until(lambda: _messages(sqs, parking), lambda count: count == 1, "the parked record")


def test_destroy_is_refused_while_there_is_work(leaving: Leaving) -> None:
    now = inventory(leaving.here.session)
    with pytest.raises(ProtectedError, match=r"nothing was deleted: .*-parking, .*-queue"):
        leaving.deployment(enabled=False).destroy()
    assert inventory(leaving.here.session) == now


def test_runs_and_waiting_records_finish(leaving: Leaving) -> None:
    """The second run gets its place and its task although the function is being drained."""
    leaving.here.session.client("s3").put_object(Bucket=BUCKET, Key=GO, Body=b"")
    for key in leaving.runs:
        assert leaving.chain.finished("leaves", key).state == RunState.SUCCEEDED


def test_a_parked_record_keeps_the_queues(leaving: Leaving) -> None:
    """Only a person can say that it is not wanted any more."""
    ledger = leaving.chain.invocation("leaves").ledger
    open_of = leaving.chain.function("leaves").name + "/"
    until(
        lambda: [key for key in ledger.open_keys("open") if key.startswith(open_of) and ":slots" not in key],
        lambda found: found == [],
        "the runs to be settled",
    )
    events: list[Event] = []
    leaving.deployment(enabled=False).up(events.append)
    [text] = told(events, "warning")
    assert "0 open runs, 0 messages on the failure queue and 1 message on the parking queue" in text
    with pytest.raises(StillNeededError, match="1 message on the parking queue"):
        leaving.deployment(stays_only=True).up()


def test_a_drained_function_can_be_removed(leaving: Leaving) -> None:
    sqs, parking = leaving.here.session.client("sqs"), leaving.chain.output("leaves", "parking_queue_url")
    sqs.purge_queue(QueueUrl=parking)
    until(lambda: _messages(sqs, parking), lambda count: count == 0, "an empty parking queue")
    events: list[Event] = []
    leaving.deployment(enabled=False).up(events.append)
    assert any("'leaves' is drained" in text for text in told(events, "info"))
    leaving.deployment(stays_only=True).up()
    names = [each["FunctionName"] for each in leaving.here.session.client("lambda").list_functions()["Functions"]]
    assert not [name for name in names if "leaves" in name]


def test_destroy_leaves_nothing(leaving: Leaving) -> None:
    """Whoever wants to give up the stored runs says so first."""
    with pytest.raises(ProtectedError, match=r"nothing was deleted: .*-parking, .*-queue"):
        leaving.deployment(stays_only=True).destroy()
    last = leaving.deployment(stays_only=True, retention={"force_destroy": True})
    last.up()
    last.destroy()
    assert inventory(leaving.here.session) == leaving.before


def _messages(sqs: Any, url: str) -> int:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])
