"""The real engine, the light aws provider and the emulator: what watches tasks and functions, through its whole life.

The tests share the stack and stand in the order of its life; the last one destroys it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pulumi import automation

from local.emulator import Emulator, EmulatorSettings
from local.inventory import inventory
from local.provider.aws.registry import TYPES
from local.stack import Session
from local.tests.e2e.provider_events.watching_program import WATCHING, Watching
from local.tests.e2e.provider_stack import provider_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi.automation import Stack

    from local.engine import Engine
    from local.inventory import Inventory

pytestmark = pytest.mark.e2e
NEVER_UPDATED = {token for token in WATCHING if TYPES[token].update is None}


@dataclass
class Life:
    """The stack, its program and the account around it."""

    stack: Stack
    program: Watching
    aws: Session
    before: Inventory

    def up(self, **wishes: bool) -> dict[str, set[str]]:
        """Deploy the program in this form; returns the types of what was done, by how."""
        self.program.__init__(**wishes)  # type: ignore[misc]
        return self.steps(self.stack.up)

    def steps(self, operation: Any) -> dict[str, set[str]]:
        """Run an operation of the stack; returns what it did, except what stayed the same."""
        done: dict[str, set[str]] = {}

        def note(event: automation.EngineEvent) -> None:
            if event.res_outputs_event:
                meta = event.res_outputs_event.metadata
                if meta.op != automation.OpType.SAME and meta.type in WATCHING:
                    done.setdefault(automation.OpType(meta.op).value, set()).add(meta.type)

        operation(on_event=note)
        return done

    def drift(self) -> int:
        """Refresh; returns how many resources were found to be other than before."""
        changes = self.stack.refresh().summary.resource_changes or {}
        return sum(count for how, count in changes.items() if how != "same")


@pytest.fixture(scope="module")
def life(pulumi_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Give a stack that is not deployed yet; it is destroyed if the tests did not come to it."""
    folder = tmp_path_factory.mktemp("life")
    with Emulator(EmulatorSettings(state_folder=folder / "emulator", enforce_iam=True)) as emulator:
        program = Watching()
        stack = provider_stack("watching", program, emulator=emulator, engine=pulumi_engine, folder=folder)
        session = Session(emulator)
        before = inventory(session)
        try:
            yield Life(stack, program, session, before)
        finally:
            stack.destroy()


def test_a_preview_touches_nothing(life: Life) -> None:
    assert life.steps(life.stack.preview)["create"] == WATCHING
    assert inventory(life.aws) == life.before


def test_every_type_is_made(life: Life) -> None:
    assert life.up() == {"create": WATCHING}
    [alarm] = life.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="parked")["MetricAlarms"]
    assert (alarm["Threshold"], alarm["Dimensions"]) == (0, [{"Name": "QueueName", "Value": "parking"}])


def test_a_second_up_changes_nothing(life: Life) -> None:
    assert life.up() == {}


def test_a_refresh_without_drift_changes_nothing(life: Life) -> None:
    assert life.drift() == 0
    assert life.up() == {}


def test_what_aws_can_change_is_changed_in_place(life: Life) -> None:
    """One property or more of every type that has one."""
    assert life.up(updated=True) == {"update": {*WATCHING} - NEVER_UPDATED}
    events = life.aws.client("events")
    assert events.describe_rule(Name="every-few-minutes")["State"] == "DISABLED"
    stopped = next(rule for rule in events.list_rules()["Rules"] if rule["Name"].startswith("stopped"))
    assert "Description" not in stopped
    [target] = events.list_targets_by_rule(Rule=stopped["Name"])["Targets"]
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    tags = {tag["Key"]: tag["Value"] for tag in events.list_tags_for_resource(ResourceARN=stopped["Arn"])["Tags"]}
    assert tags == {"owner": "b", "kept": "1", "new": "2"}


def test_a_table_gets_and_changes_its_indexes_in_place(life: Life) -> None:
    """With the attributes that they need: the table and what is in it stay."""
    tables = life.aws.client("dynamodb")
    [name] = tables.list_tables()["TableNames"]
    table = tables.describe_table(TableName=name)["Table"]
    assert sorted(
        (each["IndexName"], each["Projection"]["ProjectionType"]) for each in table["GlobalSecondaryIndexes"]
    ) == [
        ("function", "ALL"),
        ("open", "ALL"),
    ]
    assert {each["AttributeName"] for each in table["AttributeDefinitions"]} == {"run_key", "open", "function"}


def test_after_the_changes_everything_is_as_the_program_says(life: Life) -> None:
    """Also in AWS: a refresh would find what did not arrive."""
    assert life.drift() == 0
    assert life.up(updated=True) == {}


def test_what_aws_cannot_change_is_replaced(life: Life) -> None:
    """A rule of another name takes its target and its permission along."""
    replaced = {
        "aws:cloudwatch/dashboard:Dashboard",
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:lambda/permission:Permission",
    }
    steps = life.up(updated=True, replaced=True)
    assert steps["create-replacement"] == steps["delete-replaced"] == replaced
    assert life.drift() == 0
    assert life.up(updated=True, replaced=True) == {}


def test_a_refresh_sees_what_others_changed_and_an_up_brings_it_back(life: Life) -> None:
    events, alarms = life.aws.client("events"), life.aws.client("cloudwatch")
    events.enable_rule(Name="every-some-minutes")
    alarms.delete_dashboards(DashboardNames=["watching-more"])
    function = next(each for each in life.aws.client("lambda").list_functions()["Functions"])["FunctionName"]
    sid = next(
        each["id"]
        for each in (life.stack.export_stack().deployment or {})["resources"]
        if "schedule-perm" in each["urn"]
    )
    life.aws.client("lambda").remove_permission(FunctionName=function, StatementId=sid)
    assert life.drift() == 3
    assert life.up(updated=True, replaced=True) == {
        "create": {"aws:cloudwatch/dashboard:Dashboard", "aws:lambda/permission:Permission"},
        "update": {"aws:cloudwatch/eventRule:EventRule"},
    }
    assert life.drift() == 0


def test_an_unknown_property_is_refused_by_name_and_touches_nothing(life: Life) -> None:
    now = inventory(life.aws)
    with pytest.raises(automation.CommandError, match="cannot pass 'isEnabled' of aws:cloudwatch/eventRule:EventRule"):
        life.up(updated=True, replaced=True, refused=True)
    assert inventory(life.aws) == now


def test_destroy_leaves_nothing(life: Life) -> None:
    """A target that is gone already is no hindrance."""
    client = life.aws.client("events")
    for rule in client.list_rules()["Rules"]:
        ids = [target["Id"] for target in client.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
        client.remove_targets(Rule=rule["Name"], Ids=ids)
    life.stack.destroy()
    assert inventory(life.aws) == life.before
