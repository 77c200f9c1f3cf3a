"""The program as a whole, from its settings to its exports."""

from __future__ import annotations

import ast
import json
import re
import runpy
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from overtime.automation.program import Program
from overtime.components.archives import SOURCES
from overtime.program import build
from overtime.settings import SettingsError, StackContext, parse
from overtime.settings.tags import OWN
from tests.infra.recording import REGION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.conftest import Deploy, Run
    from tests.infra.recording import Recorder, Registered

TAGGED = {
    "aws:cloudwatch/eventRule:EventRule",
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    "aws:dynamodb/table:Table",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ecs/cluster:Cluster",
    "aws:ecs/taskDefinition:TaskDefinition",
    "aws:iam/role:Role",
    "aws:lambda/eventSourceMapping:EventSourceMapping",
    "aws:lambda/function:Function",
    "aws:s3/bucket:Bucket",
    "aws:sns/topic:Topic",
    "aws:sqs/queue:Queue",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "awsx:ec2:Vpc",
    "awsx:ecr:Repository",
}


@pytest.fixture
def configured() -> Iterator[None]:
    """Leave no stack configuration behind."""
    yield
    pulumi.runtime.set_all_config({})


def test_exports(deploy: Deploy) -> None:
    """The stack says where everything is."""
    sqs = "https://sqs.eu-west-1.amazonaws.com/123456789012"

    assert deploy() == {
        "functions": {
            "report": {
                "name": "overtime-test-report",
                "arn": "arn:aws:lambda:eu-west-1:123456789012:function:overtime-test-report",
                "queue_url": f"{sqs}/report-queue-0a1b2c3",
                "queue_arn": "arn:aws:sqs:eu-west-1:123456789012:report-queue-0a1b2c3",
                "parking_queue_url": f"{sqs}/report-parking-0a1b2c3",
                "parking_queue_arn": "arn:aws:sqs:eu-west-1:123456789012:report-parking-0a1b2c3",
                "task_family": "overtime-test-report",
                "dispatcher_name": "overtime-test-report-dispatcher",
                "log_group": "/aws/lambda/overtime-test-report",
                "enabled": True,
                "protected": True,
            }
        },
        "network": {
            "cidr": "10.42.0.0/16",
            "availability_zones": 2,
            "subnet_ids": [],
            "security_group_ids": [],
        },
        "cluster_arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/overtime-cluster-0a1b2c3",
        "ledger_table": "overtime-ledger-runs-0a1b2c3",
        "ledger_bucket": "overtime-ledger-objects-0a1b2c3",
        "image_uris": {
            "python3.13/x86_64": (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/overtime-images-0a1b2c3@sha256:"
                + tag_of_the_image().ljust(64, "0")
            )
        },
        "watcher": {
            "name": "overtime-test-watcher",
            "dead_letters_url": f"{sqs}/overtime-watcher-dead-letters-0a1b2c3",
            "log_group": "/aws/lambda/overtime-test-watcher",
        },
        "watcher_role_arn": "arn:aws:iam::123456789012:role/overtime-watcher-role-0a1b2c3",
        "alarm_topic_arn": "arn:aws:sns:eu-west-1:123456789012:overtime-alarms-topic-0a1b2c3",
        "dashboard_name": "overtime-test",
    }


def tag_of_the_image() -> str:
    from overtime.components.runner_image import content_tag  # noqa: PLC0415 - what it reads may not be touched at import

    return content_tag("public.ecr.aws/lambda/python:3.13", "public.ecr.aws/lambda/python:3.13", "x86_64")


def test_several_functions(deploy: Deploy, recorder: Recorder) -> None:
    """Functions share the platform and nothing else; each keeps its own options."""
    outputs = deploy(
        {
            "report": {"memory_mib": 1024, "task": {"cpu": 512, "memory_mib": 2048}, "max_runtime": "2h"},
            "sums": {"timeout_seconds": 60, "attempts": 1},
        }
    )

    assert set(outputs["functions"]) == {"report", "sums"}
    for kind, count in (("Cluster", 1), ("Table", 1), ("Bucket", 1), ("Vpc", 1), ("Repository", 1), ("Queue", 5)):
        assert len(recorder.all(kind)) == count, kind
    assert recorder.inputs("lambda/function:Function", "report-function")["memorySize"] == 1024
    assert recorder.inputs("lambda/function:Function", "sums-function")["memorySize"] == 512
    assert recorder.inputs("lambda/function:Function", "sums-function")["timeout"] == 60
    assert recorder.inputs("TaskDefinition", "report-task-definition")["memory"] == "2048"
    assert recorder.inputs("TaskDefinition", "sums-task-definition")["memory"] == "4096"


def test_tags(deploy: Deploy, recorder: Recorder) -> None:
    """Everything that takes tags has the stack's, and no tag holds anything else."""
    deploy(tags={"owner": "reports"})

    tagged = {each.type: each.inputs["tags"] for each in _with_tags(recorder)}
    assert tagged["aws:ecs/taskDefinition:TaskDefinition"].pop("overtime:function") == "overtime-test-report"
    assert tagged == {kind: {"owner": "reports"} for kind in TAGGED}


def test_there_is_room_for_every_tag(deploy: Deploy, recorder: Recorder) -> None:
    """With as many tags as the settings take, none of the resources has more than the 50 that AWS takes."""
    deploy(tags={f"tag-{number}": "" for number in range(50 - OWN)})

    counts = {each.name: len(each.inputs["tags"]) for each in _with_tags(recorder)}
    assert max(counts.values()) <= 50
    assert min(counts.values()) >= 50 - OWN


def test_no_tags(deploy: Deploy, recorder: Recorder) -> None:
    """Without tags in the settings nothing is tagged but what tells the functions' tasks apart on the bill."""
    deploy()

    assert [each.name for each in _with_tags(recorder)] == ["report-task-definition"]


def _with_tags(recorder: Recorder) -> list[Registered]:
    """List the resources of AWS with tags; the tags of an image are its names."""
    return [each for each in recorder.resources if "tags" in each.inputs and each.type.startswith("aws")]


def shapes(recorder: Recorder) -> list[tuple[str, str, str]]:
    assert recorder.resources
    return sorted((each.type, each.name, repr(_without_addresses(each.inputs))) for each in recorder.resources)


def _without_addresses(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_addresses(each) for key, each in sorted(value.items())}
        case list():
            return [_without_addresses(each) for each in value]
        case pulumi.AssetArchive():
            return {name: vars(asset) for name, asset in sorted(value.assets.items())}
    return value


@pytest.mark.usefixtures("configured")
def test_the_command_line_and_python_build_the_same(
    run: Run, recorder: Recorder, context: StackContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`__main__.py` and `overtime.automation` register the same resources with the same inputs."""
    monkeypatch.chdir(context.root)
    data = {"functions": {"report": {"code": ".", "handler": "handler.handler", "environment": {"TOKEN": "t0ps3cret"}}}}

    pulumi.runtime.set_all_config({f"overtime:{key}": json.dumps(value) for key, value in data.items()})
    run(lambda: runpy.run_path(str(SOURCES / "__main__.py"), run_name="__main__") and None)
    by_command = shapes(recorder)
    [image] = recorder.all("index:Image")
    assert image.inputs["context"] == {"location": "."}, "the state would say where this computer has its clone"
    pulumi.runtime.set_all_config({})
    recorder.resources.clear()
    recorder.outputs.clear()
    run(Program(parse(data, context), context))

    assert shapes(recorder) == by_command


@pytest.mark.usefixtures("configured")
def test_wrong_configuration_stops_the_program(
    run: Run, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stack's wrong configuration is told without a stack trace, before any resource is registered.

    The exit code is the one after which Pulumi's language host adds nothing (`pulumi-language-python-exec`).
    """
    monkeypatch.chdir(SOURCES)
    function = {"code": "lambdas/primary", "handler": "handler.handler", "task": {"cpu": 512, "memory_mib": 3000}}
    config = {"overtime:functions": json.dumps({"report": function}), "overtime:netwrok": "{}"}
    pulumi.runtime.set_all_config(config)

    with pytest.raises(SystemExit) as caught:
        run(lambda: runpy.run_path(str(SOURCES / "__main__.py"), run_name="__main__"))

    assert caught.value.code == 32
    assert caplog.messages[0] == (
        "overtime: 2 settings are invalid\n\n"
        "  overtime:netwrok = {}\n"
        "    There is no such setting. Did you mean network?\n"
        "    pulumi config rm --path overtime:netwrok\n\n"
        "  overtime:functions.report.task.memory_mib = 3000\n"
        "    With 512 CPU units, Fargate offers 1024, 2048, 3072 or 4096 MiB.\n"
        "    pulumi config set --path overtime:functions.report.task.memory_mib 3072"
    )
    assert recorder.resources == []


def elsewhere() -> dict[str, object]:
    """Give a function that is told about in another region than the recorded one."""
    destinations = {"on_success": "arn:aws:sqs:us-east-1:123456789012:finished-runs"}
    return {"code": "lambdas/primary", "handler": "handler.handler", "destinations": destinations}


@pytest.mark.usefixtures("configured")
def test_region_of_the_configuration(
    run: Run, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A destination elsewhere than in the stack's `aws:region` stops the program before any resource."""
    monkeypatch.chdir(SOURCES)
    pulumi.runtime.set_all_config(
        {"overtime:functions": json.dumps({"report": elsewhere()}), "aws:region": "ap-south-1"}
    )
    with pytest.raises(SystemExit):
        run(lambda: runpy.run_path(str(SOURCES / "__main__.py"), run_name="__main__"))
    assert "stack's region, ap-south-1, and cannot reach us-east-1" in caplog.text
    assert recorder.resources == []


def test_layer_elsewhere(run: Run, recorder: Recorder, context: StackContext) -> None:
    """Not only destinations have to be where the provider says that the stack is."""
    layer = "arn:aws:lambda:us-east-1:123456789012:layer:numbers:1"
    settings = parse({"functions": {"report": {"code": ".", "handler": "handler.handler", "layers": [layer]}}}, context)
    with pytest.raises(SettingsError, match=f"own region, {REGION}; this one is in us-east-1"):
        run(lambda: build(settings, context))
    assert recorder.resources == []


def test_region_of_the_provider(run: Run, recorder: Recorder, context: StackContext) -> None:
    """Where the configuration names no region, the provider is asked for its own, and the same holds."""
    (context.root / "lambdas" / "primary").mkdir(parents=True)
    (context.root / "lambdas" / "primary" / "handler.py").write_text("")
    settings = parse({"functions": {"report": elsewhere()}}, context)
    with pytest.raises(SettingsError, match=f"stack's region, {REGION}, and cannot reach us-east-1"):
        run(lambda: build(settings, context))
    assert recorder.resources == []


def test_main_is_short() -> None:
    """`__main__.py` shows the architecture at a glance."""
    assert len((SOURCES / "__main__.py").read_text().splitlines()) <= 60


def test_configuration_is_read_in_one_place() -> None:
    """Components and program take settings; none of them reads configuration or the environment itself."""
    forbidden = {"Config", "get_config", "environ", "getenv", "get_project", "get_stack", "configuration"}
    files = [*(SOURCES / "components").glob("*.py"), SOURCES / "overtime" / "program.py"]
    assert len(files) > 10
    for file in files:
        names = {
            node.attr if isinstance(node, ast.Attribute) else node.id
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, (ast.Attribute, ast.Name))
        }
        assert names.isdisjoint(forbidden), file.name


def test_nothing_knows_a_local_mode() -> None:
    """No endpoint, emulator or local stack is named in what deploys to AWS."""
    files = [*(SOURCES / "components").glob("*.py"), *(SOURCES / "overtime").rglob("*.py"), SOURCES / "__main__.py"]
    word = re.compile(r"^\s*(from|import) local\b|endpoint_url|localhost|127\.0\.0\.1|ministack", re.MULTILINE)
    assert len(files) > 30
    assert [file.name for file in files if word.search(file.read_text())] == []


def test_protected_queues(deploy: Deploy, recorder: Recorder) -> None:
    """Pulumi refuses to delete queues that may hold messages, and the ledger, and nothing else."""
    recorder.before = {
        "functions": {
            key: {"name": f"overtime-test-{key}", "enabled": False, "protected": False} for key in ("busy", "idle")
        },
        "watcher": {"name": "overtime-test-watcher"},
    }
    idle, busy = ({"open_runs": count, "waiting": 0, "parked": 0} for count in (0, 1))
    recorder.backlog = {
        "functions": {"overtime-test-busy": busy, "overtime-test-idle": idle},
        "task_retirement_days": 7,
    }
    deploy({"busy": {"enabled": False}, "idle": {"enabled": False}, "report": {}})

    ledger = {"overtime-ledger-runs", "overtime-ledger-objects"}
    assert {each.name for each in recorder.resources if each.protected} == ledger | {
        f"{key}-{noun}" for key in ("busy", "report") for noun in ("queue", "parking")
    }


def test_force_destroy_protects_nothing(deploy: Deploy, recorder: Recorder) -> None:
    """Whoever gives up the stored runs gives up the messages."""
    deploy(retention={"force_destroy": True})

    assert [each.name for each in recorder.resources if each.protected] == []


def test_a_watcher_that_cannot_be_asked_stops_no_update(
    deploy: Deploy, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known is told, and keeps the queues."""
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda text, *_: told.append(text))
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_: told.append(text))
    recorder.before = {
        "functions": {"report": {"name": "overtime-test-report"}},
        "watcher": {"name": "overtime-test-watcher"},
    }
    deploy({"report": {"enabled": False}})

    assert [each.protected for each in recorder.all("Queue") if each.name.startswith("report")] == [True, True]
    [draining, unasked] = told
    assert "could not be counted" in draining
    assert "lambda:InvokeFunction" in unasked


def test_a_drained_function_hands_nothing_over(deploy: Deploy, recorder: Recorder) -> None:
    """Its dispatcher goes on, for the runs that there are, with a rule that takes no new failure."""
    deploy({"report": {"enabled": False, "attempts": 0}})

    inputs = recorder.inputs("lambda/function:Function", "report-dispatcher-function")
    assert inputs["environment"]["variables"]["OVERTIME_RESCUE"] == "nothing"
    assert "enabled" not in recorder.inputs("EventSourceMapping", "report-dispatcher-source")
