"""The real engine, the light aws provider and the emulator: one stack of every type, through its whole life.

The tests share the stack and stand in the order of its life; the last one destroys it.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pulumi import automation

from local.emulator import Emulator, EmulatorSettings
from local.inventory import inventory
from local.provider.aws.registry import TYPES as ALL_TYPES
from local.stack import Session
from local.tests.e2e.provider.aws_program import ACCESS_POINT, SECRET, Program, Wishes
from local.tests.e2e.provider_events.watching_program import WATCHING
from local.tests.e2e.provider_stack import provider_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulumi.automation import Stack

    from local.emulator.faults import Fault
    from local.engine import Engine
    from local.inventory import Inventory

pytestmark = pytest.mark.e2e

TYPES = {token: resource for token, resource in ALL_TYPES.items() if token not in WATCHING}
REPLACED = {
    "aws:dynamodb/table:Table",
    "aws:ec2/route:Route",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "aws:ecs/taskDefinition:TaskDefinition",
    "aws:iam/role:Role",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:lambda/layerVersion:LayerVersion",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
}
NEVER_UPDATED = {token for token, resource in TYPES.items() if resource.update is None}


def _without_code(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out archive and file, of which the engine keeps no more than the hash."""
    return {name: value for name, value in values.items() if name not in {"code", "source"}}


@dataclass
class Life:
    """The stack, its program and the account around it."""

    stack: Stack
    program: Program
    emulator: Emulator
    aws: Session
    before: Inventory
    state: Path
    """Where the engine keeps the stack's state."""

    def up(self, **wishes: bool) -> dict[str, list[tuple[str, str]]]:
        """Deploy the program in this form; returns type and name of what was done, by how."""
        self.program.wishes = Wishes(**wishes)
        return self.steps(self.stack.up)

    def drift(self) -> dict[str, object]:
        """Refresh; returns what was found to be other than before, by the resource's name."""
        before = self._states()
        self.stack.refresh()
        now = self._states()
        names = {name for name in before if before[name] != now.get(name)}
        return {name: (before[name], now.get(name)) for name in names}

    def _states(self) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        found = (self.stack.export_stack().deployment or {})["resources"]
        return {
            each["urn"].rpartition("::")[2]: (_without_code(each["inputs"]), _without_code(each["outputs"]))
            for each in found
            if each["type"] in TYPES
        }

    def steps(self, operation: Any) -> dict[str, list[tuple[str, str]]]:
        """Run an operation of the stack; returns what it did, except what stayed the same."""
        done: dict[str, list[tuple[str, str]]] = {}

        def note(event: automation.EngineEvent) -> None:
            if event.res_outputs_event:
                meta = event.res_outputs_event.metadata
                if meta.op != automation.OpType.SAME and meta.type.startswith("aws:"):
                    done.setdefault(automation.OpType(meta.op).value, []).append(
                        (meta.type, meta.urn.rpartition("::")[2])
                    )

        operation(on_event=note)
        return done


@pytest.fixture(scope="module")
def life(pulumi_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Give a stack that is not deployed yet; it is destroyed if the tests did not come to it."""
    folder = tmp_path_factory.mktemp("life")
    with Emulator(EmulatorSettings(state_folder=folder / "emulator", enforce_iam=True)) as emulator:
        program = Program()
        stack = provider_stack("every-type", program, emulator=emulator, engine=pulumi_engine, folder=folder)
        session = Session(emulator)
        before = inventory(session)
        try:
            yield Life(stack, program, emulator, session, before, folder / "state")
        finally:
            program.temporary.cleanup()
            stack.destroy()


def types(steps: list[tuple[str, str]]) -> set[str]:
    return {token for token, _ in steps}


def test_a_preview_touches_nothing(life: Life) -> None:
    assert types(life.steps(life.stack.preview)["create"]) == {*TYPES}
    assert inventory(life.aws) == life.before


def test_every_type_is_made(life: Life) -> None:
    steps = life.up()
    assert list(steps) == ["create"]
    assert types(steps["create"]) == {*TYPES}
    account = life.aws.client("sts").get_caller_identity()["Account"]
    assert life.stack.outputs()["where"].value == f"aws/eu-west-1/{account}"


def test_a_second_up_changes_nothing(life: Life) -> None:
    assert life.up() == {}


def test_a_refresh_without_drift_changes_nothing(life: Life) -> None:
    assert life.drift() == {}
    assert life.up() == {}


def test_secrets_stay_secrets(life: Life) -> None:
    outputs = life.stack.outputs()
    assert outputs["environment"].secret
    assert outputs["environment"].value["variables"]["TOKEN"] == SECRET
    assert outputs["login"].secret
    stored = [path.read_text() for path in life.state.rglob("*.json")]
    assert any("every-type" in text for text in stored)
    assert not any(SECRET in text for text in stored)


def test_what_aws_can_change_is_changed_in_place(life: Life) -> None:
    """One property or more of every type that has one."""
    steps = life.up(updated=True)
    assert list(steps) == ["update"]
    assert types(steps["update"]) == {*TYPES} - NEVER_UPDATED
    function = life.aws.client("lambda").get_function(FunctionName="every-type")
    assert function["Configuration"]["MemorySize"] == 256
    assert "Concurrency" not in function
    mounted = {"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/data"}
    assert function["Configuration"]["FileSystemConfigs"] == [mounted]
    assert function["Configuration"]["KMSKeyArn"].endswith(":key/1")
    assert function["Configuration"]["EphemeralStorage"] == {"Size": 1024}
    assert function["Configuration"]["LoggingConfig"]["LogFormat"] == "JSON"
    assert function["Configuration"]["TracingConfig"] == {"Mode": "Active"}
    vpc = function["Configuration"]["VpcConfig"]
    assert (vpc["SubnetIds"], vpc["SecurityGroupIds"]) == (["subnet-0a"], ["sg-0a"])
    assert function["Tags"] == {"owner": "b", "kept": "1", "new": "2"}


def test_after_the_changes_everything_is_as_the_program_says(life: Life) -> None:
    """Also in AWS: a refresh would find what did not arrive."""
    assert life.drift() == {}
    assert life.up(updated=True) == {}


def test_what_aws_cannot_change_is_replaced(life: Life) -> None:
    first = life.stack.outputs()["definition"].value
    steps = life.up(updated=True, replaced=True)
    assert types(steps["create-replacement"]) == types(steps["delete-replaced"]) == REPLACED
    assert types(steps.get("update", [])) == {"aws:lambda/function:Function"}, "the function uses the new layer"
    assert (first.rpartition(":")[2], life.stack.outputs()["definition"].value.rpartition(":")[2]) == ("1", "2")
    assert life.drift() == {}
    assert life.up(updated=True, replaced=True) == {}


def test_a_refresh_sees_what_others_changed_and_an_up_brings_it_back(life: Life) -> None:
    functions = life.aws.client("lambda")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "other = True\n")
    ours = functions.get_function(FunctionName="every-type")["Configuration"]["CodeSha256"]
    functions.update_function_code(FunctionName="every-type", ZipFile=buffer.getvalue())
    sqs = life.aws.client("sqs")
    url = next(url for url in sqs.list_queues()["QueueUrls"] if "/queue-" in url)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "77"})
    life.aws.client("logs").delete_log_group(logGroupName="/aws/lambda/every-type")

    result = life.stack.refresh()
    changes = dict(result.summary.resource_changes or {})
    assert {name: changes[name] for name in changes if name != "same"} == {"update": 2, "delete": 1}
    steps = life.up(updated=True, replaced=True)
    assert steps == {
        "create": [("aws:cloudwatch/logGroup:LogGroup", "logs")],
        "update": steps["update"],
    }
    assert sorted(steps["update"]) == [("aws:lambda/function:Function", "function"), ("aws:sqs/queue:Queue", "queue")]
    assert functions.get_function(FunctionName="every-type")["Configuration"]["CodeSha256"] == ours


def test_an_unknown_property_is_refused_by_name_and_touches_nothing(life: Life) -> None:
    now = inventory(life.aws)
    with pytest.raises(automation.CommandError, match="cannot pass 'fifoQueue' of aws:sqs/queue:Queue to AWS"):
        life.up(updated=True, replaced=True, refused=True)
    assert inventory(life.aws) == now


def test_a_refusal_of_aws_names_the_resource_and_the_action(life: Life) -> None:
    """Out of band a role is made whose name the program wants."""
    iam = life.aws.client("iam")
    iam.delete_role(RoleName="renamed")
    life.stack.refresh()
    iam.create_role(RoleName="renamed", AssumeRolePolicyDocument="{}")
    words = "aws:iam/role:Role 'renamed' could not be created: AWS refused CreateRole with EntityAlreadyExists"
    with pytest.raises(automation.CommandError, match=words):
        life.up(updated=True, replaced=True)
    iam.delete_role(RoleName="renamed")


def fault(service: str, action: str, error: str, message: str, times: int) -> Fault:
    """Refuse calls of an action."""
    return {
        "service": service,
        "action": action,
        "times": times,
        "respond": {"status": 400, "body": {"__type": error, "message": message}},
    }


def test_what_was_made_but_not_finished_is_finished_by_the_next_up(life: Life) -> None:
    """The log group is there, its retention refused: it is not forgotten, nor made twice."""
    life.aws.client("logs").delete_log_group(logGroupName="/aws/lambda/every-type")
    life.stack.refresh()
    life.emulator.set_faults([fault("logs", "PutRetentionPolicy", "InvalidParameterException", "Not now.", 1)])
    words = (
        "'logs' was created, but not finished: AWS refused PutRetentionPolicy with InvalidParameterException: Not now"
    )
    with pytest.raises(automation.CommandError, match=words):
        life.up(replaced=True)
    steps = life.up(replaced=True)
    assert ("aws:cloudwatch/logGroup:LogGroup", "logs") in steps["update"]
    groups = life.aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/every-type")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [30]
    assert life.up(replaced=True) == {}


def test_a_role_that_lambda_does_not_know_yet_is_waited_for(life: Life) -> None:
    text = "The role defined for the function cannot be assumed by Lambda."
    life.emulator.set_faults(
        [fault("lambda", "UpdateFunctionConfiguration", "InvalidParameterValueException", text, 2)]
    )
    life.up(updated=True, replaced=True)
    assert life.up(updated=True, replaced=True) == {}


def test_destroy_leaves_nothing(life: Life) -> None:
    """A bucket with objects in it, and something that is gone already, are no hindrance."""
    bucket = life.stack.outputs()["bucket"].value
    life.aws.client("s3").put_object(Bucket=bucket, Key="a/b", Body=b"left over")
    life.aws.client("logs").delete_log_group(logGroupName="/aws/lambda/every-type")
    life.stack.destroy()
    assert inventory(life.aws) == life.before
