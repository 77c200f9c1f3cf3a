"""The sample of `Pulumi.dev.yaml` on this computer: deployed, run, changed and destroyed through the real engine.

The tests share one stack and stand in the order of its life; the last one destroys it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from local.demo import bucket
from local.demo.invocation import Invocation, deployed
from local.demo.play import play
from local.demo.settings import changed, changes, dev_settings
from local.demo.table import table
from local.inventory import inventory
from local.paths import REPOSITORY
from local.permissions import statements, uses
from overtime.automation import ResourceStep, SettingsError
from overtime.components import archives, lambda_archive
from overtime.contract.runs import RunState
from tests.e2e.chain import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.inventory import Inventory
    from local.permissions import Use
    from local.stack import Machine
    from overtime.automation import Deployment, Event, Outputs

pytestmark = pytest.mark.e2e

STACK = "sample"
JUSTIFIED = {
    # "Amazon ECS task execution IAM role" lists it for pulling from ECR; the emulator's registry is not asked for it.
    ("PullRunnerImage", "ecr:BatchCheckLayerAvailability"),
    # RunTask copies the definition's tags; the emulator asks for no right. "Grant permission to tag resources for ECS".
    ("TagTask", "ecs:TagResource"),
    # A record that has to wait, for ECS or for a place, goes back as a pointer, whose run is then read: `test_watch`.
    ("LetRecordsWait", "sqs:SendMessage"),
    ("RecordRuns", "dynamodb:GetItem"),
    # The watcher's part where something breaks: `test_watch`.
    ("LaunchAgain", "sqs:SendMessage"),
    ("ParkRuns", "sqs:ReceiveMessage"),
    ("ParkRuns", "sqs:SendMessage"),
    ("LookAtTasks", "ecs:DescribeTasks"),
    ("LookAtTasks", "ecs:StopTask"),
    # Likewise: a relaunch keeps the event, and a destination gets payloads.
    ("KeepEvents", "s3:PutObject"),
    ("ReadPayloads", "s3:GetObject"),
    ("TellGoneFromForbidden", "s3:ListBucket"),
    # Fargate pulls GuardDuty's agent where the account has its runtime monitoring switched on.
    *(
        ("PullGuardDutyAgent", f"ecr:{action}")
        for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
    ),
}
"""What a run in which nothing breaks may leave unused, and who needs it."""


@dataclass
class Sample:
    """The deployed sample, and what the account held before."""

    here: Machine
    settings: dict[str, Any]
    deployment: Deployment
    before: Inventory
    outputs: Outputs

    def up(self, **different: object) -> list[ResourceStep]:
        """Deploy it with other settings; returns the steps that changed something."""
        settings = changed(self.settings, {path.replace("__", "."): value for path, value in different.items()})
        return changing(self.here.deployment(settings, stack=STACK))


def changing(deployment: Deployment) -> list[ResourceStep]:
    """Deploy; returns the steps that changed something."""
    steps: list[Event] = []
    deployment.up(steps.append)
    return [
        step
        for step in steps
        if isinstance(step, ResourceStep) and step.status == "done" and step.operation not in {"same", "read"}
    ]


@pytest.fixture(scope="module")
def sample(here: Machine) -> Iterator[Sample]:
    """Deploy the sample."""
    before = inventory(here.session)
    settings = changed(dev_settings(), changes(here.base, here.python))
    deployment = here.deployment(settings, stack=STACK)
    preview = deployment.preview()
    assert set(preview.changes) == {"create"}
    assert inventory(here.session) == before, "a preview made something"
    try:
        result = deployment.up()
        assert result.changes == preview.changes
        yield Sample(here=here, settings=settings, deployment=deployment, before=before, outputs=result.outputs)
    finally:
        bucket.remove(here.session)
        deployment.destroy(remove=True)


def test_a_second_up_changes_nothing(sample: Sample) -> None:
    assert sample.deployment.preview().unchanged
    assert changing(sample.deployment) == []


def test_a_refresh_finds_everything_as_it_is(sample: Sample) -> None:
    assert sample.deployment.refresh().unchanged


def test_impossible_settings_touch_nothing(sample: Sample) -> None:
    now = inventory(sample.here.session)
    with pytest.raises(SettingsError, match=r"overtime:functions\.report\.task\.memory_mib = 512\n.*Fargate"):
        sample.up(functions__report__task__cpu=4096)
    assert inventory(sample.here.session) == now


def test_a_run_of_the_sample_ends_with_the_right_result_and_uses_every_permission(sample: Sample) -> None:
    """The demo's invocation, with IAM enforced: the table names, for each permission, a call that needed it."""
    played = play(sample.here.session, deployed(sample.outputs, "report"), print)
    print(played.table)  # noqa: T201 - shown with -s
    assert played.checks == dict.fromkeys(played.checks, True)
    park_another(sample)

    found = list(used(sample))
    rows = [
        (use.statement.role, use.statement.sid, use.action, use.call.resource if use.call else "NOT USED")
        for use in found
    ]
    print(table(("role", "statement", "action", "call on"), rows))  # noqa: T201 - likewise
    unused = {(use.statement.sid, use.action) for use in found if use.call is None}
    assert unused <= JUSTIFIED
    assert {(use.statement.sid, use.action) for use in found} >= JUSTIFIED, "a justification of what is not there"


def park_another(sample: Sample) -> None:
    """Send an event that the function cannot read: the failure is none that is rescued, so its record is parked."""
    invocation = Invocation(sample.here.session, deployed(sample.outputs, "report"))
    key = invocation.send(b"{}")
    until(
        lambda: invocation.ledger.get(key),
        lambda run: run is not None and run.state == RunState.SKIPPED,
        f"the run {key} to be skipped",
    )
    calls = sample.here.emulator.calls
    parked = ("sqs:SendMessage", "-parking-")
    until(calls, lambda made: any(call.action == parked[0] and parked[1] in call.resource for call in made), "parking")


def used(sample: Sample) -> Iterator[Use]:
    """Hold the stack's policies against the calls so far."""
    session, calls = sample.here.session, sample.here.emulator.calls()
    roles = set(inventory(session)["iam roles"]) - set(sample.before.get("iam roles", []))
    for role in sorted(roles):
        yield from uses(statements(session, role), calls)


def test_other_code_of_the_dispatcher_updates_one_function_only(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "overtime"
    shutil.copytree(REPOSITORY / "overtime", package, ignore=shutil.ignore_patterns("__pycache__"))
    module = package / "lambdas" / "dispatcher" / "rescue.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nCHANGED = True\n", encoding="utf-8")
    monkeypatch.setattr(lambda_archive, "PACKAGE", package)
    assert [(step.operation, step.type, step.name, step.changed) for step in changing(sample.deployment)] == [
        ("update", "aws:lambda/function:Function", "report-dispatcher-function", ("code",))
    ]
    assert archives.SOURCES == REPOSITORY


def test_other_memory_of_the_task_replaces_its_definition_only(sample: Sample) -> None:
    sample.up()
    steps = sample.up(functions__report__task__memory_mib=1024)
    assert {(step.type, step.name) for step in steps} == {
        ("aws:ecs/taskDefinition:TaskDefinition", "report-task-definition")
    }
    assert {step.operation for step in steps} == {"create-replacement", "replace", "delete-replaced"}


def test_destroy_leaves_nothing(sample: Sample) -> None:
    bucket.remove(sample.here.session)
    sample.deployment.destroy()
    assert inventory(sample.here.session) == sample.before
