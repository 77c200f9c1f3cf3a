"""Configurations that work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pydantic import SecretStr, ValidationError

from overtime.configuration import load
from overtime.settings import (
    Alarms,
    Cluster,
    Dashboard,
    Destinations,
    Function,
    FunctionAlarms,
    Image,
    Network,
    Permission,
    Rescue,
    Retention,
    Settings,
    StackContext,
    Task,
    parse,
    verify,
)
from overtime.settings.fargate_sizes import MEMORY_MIB, allowed, nearest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def context(tmp_path: Path) -> StackContext:
    (tmp_path / "handler.py").write_text("")
    return StackContext(project="overtime", stack="dev", root=tmp_path)


def stack_of_the_project() -> dict[str, Any]:
    config = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    return {key.removeprefix("overtime:"): value for key, value in config.items() if key.startswith("overtime:")}


def one(**function: object) -> dict[str, object]:
    return {"functions": {"report": {"code": ".", "handler": "handler.handler", **function}}}


def test_defaults(context: StackContext) -> None:
    """Code and handler are all that a function needs."""
    report = parse(one(), context).functions["report"]
    assert (report.runtime, report.architecture) == ("python3.13", "x86_64")
    assert (report.max_concurrent_runs, report.longest_run) == (20, 12 * 3600)
    assert (report.attempts, report.max_runtime, report.max_event_age) == (3, 7 * 86400, 6 * 3600)
    assert report.rescue == (Rescue.TIMEOUT, Rescue.OUT_OF_MEMORY)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90m", 5400), ("6h", 21600), ("1d12h", 129600), ("14d", 1209600), (1000, 1000)]
)
def test_durations(text: str | int, seconds: int, context: StackContext) -> None:
    """A duration is a number of seconds, or counts of d, h, m and s."""
    assert parse(one(max_runtime=text, timeout_seconds=60), context).functions["report"].max_runtime == seconds


@pytest.mark.parametrize("seconds", [1, 900, 901, 1800, 5400])
def test_timeouts(seconds: int, context: StackContext) -> None:
    """No limit of Lambda's that has moved is a law here: 900 seconds were once all, 1,800 and 5,400 are since."""
    assert parse(one(timeout_seconds=seconds), context).functions["report"].timeout_seconds == seconds


def test_variables_are_text_and_hidden(context: StackContext) -> None:
    """Numbers and booleans become text as a shell would write them, and no value shows in a repr."""
    settings = parse(one(environment={"PORT": 8080, "DEBUG": True, "TOKEN": "s3cret"}), context)
    values = {name: value.get_secret_value() for name, value in settings.functions["report"].environment.items()}
    assert values == {"PORT": "8080", "DEBUG": "true", "TOKEN": "s3cret"}
    assert "s3cret" not in repr(settings)
    assert "8080" not in str(settings)


def test_settings_made_in_python(context: StackContext) -> None:
    """Models can be made without a mapping; an error of pydantic's own does not show a variable either."""
    function = Function(code=".", handler="handler.handler", environment={"TOKEN": SecretStr("s3cret")})
    verify(Settings(functions={"report": function}), context)
    with pytest.raises(ValidationError, match="A variable's name has") as caught:
        Function(code=".", handler="handler.handler", environment={"my-name": SecretStr("s3cret")})
    assert "s3cret" not in str(caught.value)


def test_frozen(context: StackContext) -> None:
    """Nothing changes settings once they are read."""
    settings = parse(one(), context)
    with pytest.raises(ValidationError, match="frozen"):
        settings.functions["report"].attempts = 1


@pytest.mark.parametrize(
    ("network", "public"),
    [
        (Network(), True),
        (Network(assign_public_ip=False), False),
        (Network(subnet_ids=("subnet-0a",), security_group_ids=("sg-0a",)), False),
        (Network(subnet_ids=("subnet-0a",), security_group_ids=("sg-0a",), assign_public_ip=True), True),
    ],
)
def test_public_address(network: Network, *, public: bool) -> None:
    """Tasks get a public address in the VPC that is made and none in given subnets, unless said otherwise."""
    assert network.public_ip is public


@pytest.mark.parametrize("handler", ["app.handler", "pkg/mod.handler", "pkg.mod.handler"])
def test_handlers(handler: str, context: StackContext) -> None:
    """Every form of handler that Lambda takes is found in the folder."""
    for file in ("app.py", "pkg/mod.py"):
        (context.root / file).parent.mkdir(exist_ok=True)
        (context.root / file).write_text("")
    assert parse(one(handler=handler), context).functions["report"].handler == handler


def test_handler_in_a_layer(context: StackContext) -> None:
    """With layers the handler's module need not be in the code: monitoring products wrap handlers that way."""
    layer = "arn:aws:lambda:eu-west-1:123456789012:layer:watch:1"
    parse(one(handler="watch.wrapper.handler", layers=[layer]), context)


def test_straight_to_fargate(context: StackContext) -> None:
    """Attempts 0 needs no rescue rule, and `any` agrees with it."""
    parse(one(attempts=0), context)
    parse(one(attempts=0, rescue="any"), context)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sqs:eu-west-1:123456789012:finished-runs",
        "arn:aws-cn:sns:cn-north-1:123456789012:finished_runs",
        "arn:aws:events:eu-west-1:123456789012:event-bus/default",
        "arn:aws:events:eu-west-1:123456789012:event-bus/aws.partner/shop.example/runs",
        "arn:aws:lambda:eu-west-1:123456789012:function:tell",
        "arn:aws:lambda:eu-west-1:123456789012:function:tell:live",
    ],
)
def test_destinations(arn: str, context: StackContext) -> None:
    """Every kind of target that Lambda's own records go to is taken, for either end."""
    told = parse(one(destinations={"on_success": arn, "on_failure": arn}), context).functions["report"].destinations
    assert (told.on_success, told.on_failure) == (arn, arn)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:kms:eu-west-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
        "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234567890abcdef1234567890abcdef",
    ],
)
def test_keys_of_destinations(arn: str, context: StackContext) -> None:
    """Keys of one region and of several are taken."""
    queue = "arn:aws:sqs:eu-west-1:123456789012:finished-runs"
    settings = parse(one(destinations={"on_success": queue, "kms_key_arns": [arn]}), context)
    assert settings.functions["report"].destinations.kms_key_arns == (arn,)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sns:eu-west-1:123456789012:on-call",
        "arn:aws:lambda:eu-west-1:123456789012:function:page:live",
        "arn:aws:ssm:eu-west-1:123456789012:opsitem:2#CATEGORY=Availability",
        "arn:aws:ssm-incidents::123456789012:response-plan/reports",
    ],
)
def test_alarm_actions(arn: str, context: StackContext) -> None:
    """What CloudWatch may do when an alarm is raised."""
    assert parse(one() | {"alarms": {"action_arns": [arn]}}, context).alarms.action_arns == (arn,)


def test_limits(context: StackContext) -> None:
    """A duration is read as one; null takes a limit or an alarm away, also as the text that the engine stores."""
    limited = parse(one(alarms={"longest_run": "6h"}, max_concurrent_runs=3, max_task_attempts=10), context)
    report = limited.functions["report"]
    assert (report.alarms.longest_run, report.max_concurrent_runs, report.max_task_attempts) == (21600, 3, 10)
    for null in (None, "null"):
        unlimited = parse(one(alarms={"longest_run": null}, max_concurrent_runs=null), context).functions["report"]
        assert (unlimited.longest_run, unlimited.max_concurrent_runs) == (None, None)


@pytest.mark.parametrize(("max_runtime", "longest"), [("7d", 43_200), ("43201s", 43_200), ("12h", None), ("6h", None)])
def test_an_alarm_that_nobody_asked_for_is_left_out(
    max_runtime: str, longest: int | None, context: StackContext
) -> None:
    """The default alarm gives way to a shorter `max_runtime`, also where it is written down."""
    for alarms in ({}, {"longest_run": "12h"}):
        report = parse(one(max_runtime=max_runtime, alarms=alarms), context).functions["report"]
        assert report.longest_run == longest


def test_names_of_the_stack(context: StackContext) -> None:
    """Watcher and dashboard are named after project and stack."""
    assert (context.watcher_name, context.dashboard_name) == ("overtime-dev-watcher", "overtime-dev")


def test_every_fargate_pair(context: StackContext) -> None:
    """Every pair in AWS's table is taken."""
    for cpu, sizes in MEMORY_MIB.items():
        for memory in sizes:
            parse(one(task={"cpu": cpu, "memory_mib": memory}), context)


def test_fargate_words() -> None:
    """Few sizes are listed, many are a range; the nearest size is never smaller while there is one."""
    assert allowed(512) == "1024, 2048, 3072 or 4096 MiB"
    assert allowed(8192) == "16384 to 61440 MiB in steps of 4096"
    assert nearest(512, 3000) == 3072
    assert nearest(512, 9000) == 4096


def test_load_reads_the_stack(context: StackContext) -> None:
    """`load` reads the keys of the running stack, sections as the JSON that the engine hands over."""
    function = one(environment={"TOKEN": "t0ps3cret"})["functions"]
    pulumi.runtime.set_all_config({"overtime:functions": json.dumps(function), "aws:region": "eu-west-1"})
    try:
        assert load(context) == parse({"functions": function}, context)
    finally:
        pulumi.runtime.set_all_config({})


def test_the_stack_that_comes_with_the_project() -> None:
    """Pulumi.dev.yaml works as it is."""
    settings = parse(stack_of_the_project(), StackContext(project="overtime", stack="dev", root=ROOT))
    assert list(settings.functions) == ["report"]


def test_every_default_of_the_stack_that_comes_with_the_project() -> None:
    """What Pulumi.dev.yaml shows as a default is the default: without those keys the stack is the same."""
    shown = stack_of_the_project()
    report = shown["functions"]["report"]
    own = {key: report[key] for key in ("code", "handler", "permissions")}
    context = StackContext(project="overtime", stack="dev", root=ROOT)
    assert parse(shown, context) == parse({"functions": {"report": own}}, context)


def test_every_key_of_the_stack_that_comes_with_the_project() -> None:
    """Pulumi.dev.yaml shows every key where it belongs; those that exclude each other, as comments."""
    shown = stack_of_the_project()
    report = shown["functions"]["report"]
    text = (ROOT / "Pulumi.dev.yaml").read_text()
    given_subnets = {"subnet_ids", "security_group_ids", "assign_public_ip"}
    assert set(shown) == set(Settings.model_fields)
    assert set(report) == set(Function.model_fields)
    assert set(report["task"]) == set(Task.model_fields)
    assert set(report["destinations"]) == set(Destinations.model_fields)
    assert set(report["alarms"]) == set(FunctionAlarms.model_fields)
    assert set(report["permissions"][0]) == set(Permission.model_fields)
    assert set(shown["network"]) == set(Network.model_fields) - given_subnets
    assert [key for key in given_subnets if f"#   {key}:" not in text] == []
    for section, model in (
        ("retention", Retention),
        ("image", Image),
        ("cluster", Cluster),
        ("alarms", Alarms),
        ("dashboard", Dashboard),
    ):
        assert set(shown[section]) == set(model.model_fields)


def test_project_declares_every_key() -> None:
    """Pulumi.yaml declares every top-level key with type and description, and its default where there is one."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert set(declared) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert declared[name]["type"] == "object"
        assert len(declared[name]["description"]) > 20
        assert ("default" in declared[name]) is not field.is_required()


def test_project_defaults_are_the_defaults(context: StackContext) -> None:
    """What Pulumi.yaml declares as a default is what a stack without the key gets."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    defaults = {name: key["default"] for name, key in declared.items() if "default" in key}
    assert parse(one() | defaults, context) == parse(one(), context)
