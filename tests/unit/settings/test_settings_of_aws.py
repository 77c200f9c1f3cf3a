"""What AWS would only refuse in the middle of an update is refused before; what it takes is taken."""

from __future__ import annotations

import json
import os
import re
import shlex
import unicodedata
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import botocore.session
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from overtime.components import environment_policies, policies
from overtime.contract.partitions import partition_of
from overtime.settings import Permission, SettingsError, StackContext, parse
from overtime.settings.checks import ENVIRONMENT_POLICIES, OWN_POLICIES
from overtime.settings.fargate_sizes import MEMORY_MIB
from overtime.settings.model import Function, Task
from overtime.settings.names import LONGEST_FUNCTION_NAME
from overtime.settings.tags import OWN

if TYPE_CHECKING:
    from pathlib import Path

SDK = botocore.session.get_session()
ANY_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.one_of(st.text(max_size=60), st.sampled_from(["\0", "a\0", "\ud800", "x" * 300, "x/" * 3000, "null", "~"]))


@pytest.fixture
def context(tmp_path: Path) -> StackContext:
    (tmp_path / "handler.py").write_text("")
    return StackContext(project="overtime", stack="dev", root=tmp_path, region="eu-west-1")


def one(**function: object) -> dict[str, object]:
    return {"functions": {"report": {"code": ".", "handler": "handler.handler", **function}}}


def wrong(data: dict[str, object], context: StackContext) -> list[tuple[str, str]]:
    """Tell what is wrong: each path, and the command that fixes it."""
    try:
        parse(data, context)
    except SettingsError as error:
        return [(".".join(map(str, each.path)), each.command) for each in error.problems]
    return []


# What Lambda takes as variables


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("x" * 4085, 4096),
        ("x" * 4086, 4097),
        ('"' * 2042, 4095),
        ('"' * 2043, 4097),
        ("\n" * 2043, 4097),
        ("\\" * 2043, 4097),
        ("é" * 2043, 4097),
        ("\x01" * 681, 4097),
        (json.dumps({"colour": "red"}) * 200, 4211),
    ],
)
def test_variables_are_measured_as_lambda_does(value: str, size: int, context: StackContext) -> None:
    """As JSON text: quotes and escapes count, and characters by their bytes."""
    assert len(json.dumps({"BLOB": value}, ensure_ascii=False, separators=(",", ":")).encode()) == size
    found = wrong(one(environment={"BLOB": value}), context)
    assert [path for path, _ in found] == (["functions.report.environment"] if size > 4096 else [])


@pytest.mark.parametrize(
    "handed_over", [1.1, 0.1, 1.5e300, 12345678901234567000, "2024-01-01 00:00:00 +0000 UTC", None, ["a"], {"a": "b"}]
)
def test_what_is_no_text_any_more(handed_over: object, context: StackContext) -> None:
    """What the engine (seen with 3.259.0) makes of 1.10, 12345678901234567890, 2024-01-01 and so on is refused."""
    ((path, command),) = wrong(one(environment={"NAME": handed_over}), context)
    assert path == "functions.report.environment.NAME"
    assert command == "pulumi config set --path overtime:functions.report.environment.NAME '…'"
    assert [path for path, _ in wrong(one() | {"tags": {"name": handed_over}}, context)] == ["tags.name"]


@pytest.mark.parametrize(("value", "text"), [(8080, "8080"), (-1, "-1"), (2**63 - 1, str(2**63 - 1)), (False, "false")])
def test_what_is_the_same_as_text(value: object, text: str, context: StackContext) -> None:
    """Whole numbers and booleans are taken as a shell would write them."""
    report = parse(one(environment={"NAME": value}), context).functions["report"]
    assert report.environment["NAME"].get_secret_value() == text


# Numbers that arrive as text: the engine stores secrets, and what replaces a text, that way.

NUMBERS = {"timeout_seconds": 60, "memory_mib": 1024, "attempts": 2, "max_receive_count": 6, "max_task_attempts": 4}


@pytest.mark.parametrize("key", NUMBERS)
def test_numbers_as_text(key: str, context: StackContext) -> None:
    """Digits are a number wherever one is meant."""
    assert getattr(parse(one(**{key: str(NUMBERS[key])}), context).functions["report"], key) == NUMBERS[key]


@pytest.mark.parametrize("key", ["max_runtime", "max_event_age"])
def test_seconds_as_text(key: str, context: StackContext) -> None:
    """So are they where a duration is meant."""
    assert getattr(parse(one(**{key: "7200"}), context).functions["report"], key) == 7200


@pytest.mark.parametrize("cpu", MEMORY_MIB)
def test_cpu_as_text(cpu: int, context: StackContext) -> None:
    """And among a few numbers, where nothing would read them as one otherwise."""
    task = {"cpu": str(cpu), "memory_mib": str(MEMORY_MIB[cpu][0])}
    assert parse(one(task=task), context).functions["report"].task == Task(cpu=cpu, memory_mib=MEMORY_MIB[cpu][0])  # type: ignore[arg-type]


# Regions and partitions

ACCESS_POINT = "arn:aws:elasticfilesystem:{}:123456789012:access-point/fsap-0123456789abcdef0"
QUEUE, KEY = "arn:aws:sqs:{}:123456789012:runs", "arn:aws:kms:{}:123456789012:key/12345678-90ab-cdef-1234-567890abcdef"
REGIONAL = {
    "functions.report.layers.0": "arn:aws:lambda:{}:123456789012:layer:numbers:1",
    "functions.report.kms_key_arn": KEY,
    "functions.report.file_systems.0.access_point_arn": ACCESS_POINT,
    "functions.report.destinations.on_success": QUEUE,
    "functions.report.destinations.on_failure": "arn:aws:events:{}:123456789012:event-bus/default",
    "functions.report.destinations.kms_key_arns.0": KEY,
    "alarms.action_arns.0": "arn:aws:sns:{}:123456789012:on-call",
    "alarms.action_arns.1": "arn:aws:lambda:{}:123456789012:function:page",
    "alarms.action_arns.2": "arn:aws:ssm:{}:123456789012:opsitem:2",
    "alarms.ticket_arns.0": "arn:aws:sns:{}:123456789012:tomorrow",
}
GLOBAL = {
    "functions.report.policy_arns.0": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    "functions.report.permissions.0.resources.1": "arn:aws:s3:::bucket/*",
    "alarms.action_arns.3": "arn:aws:ssm-incidents::123456789012:response-plan/reports",
}


def of_arns(arns: dict[str, str]) -> dict[str, object]:
    """Give a configuration that has these ARNs at their places."""
    permission = {"actions": ["s3:GetObject"], "resources": ["*", arns["functions.report.permissions.0.resources.1"]]}
    told = {
        "on_success": arns["functions.report.destinations.on_success"],
        "on_failure": arns["functions.report.destinations.on_failure"],
        "kms_key_arns": [arns["functions.report.destinations.kms_key_arns.0"]],
    }
    function = one(
        layers=[arns["functions.report.layers.0"]],
        kms_key_arn=arns["functions.report.kms_key_arn"],
        file_systems=[
            {"access_point_arn": arns["functions.report.file_systems.0.access_point_arn"], "path": "/mnt/data"}
        ],
        vpc={"subnet_ids": ["subnet-0a"], "security_group_ids": ["sg-0a"]},
        policy_arns=[arns["functions.report.policy_arns.0"]],
        permissions=[permission],
        destinations=told,
    )
    alarms = {
        name: [arn for path, arn in arns.items() if path.startswith(f"alarms.{name}")]
        for name in ("action_arns", "ticket_arns")
    }
    return function | {"alarms": alarms}


ARNS = {path: arn.format("eu-west-1") for path, arn in (REGIONAL | GLOBAL).items()}


def test_arns_of_the_stacks_region(context: StackContext) -> None:
    """Here everything is where it belongs."""
    assert wrong(of_arns(ARNS), context) == []


@pytest.mark.parametrize("path", REGIONAL)
def test_arn_of_another_region(path: str, context: StackContext) -> None:
    """Each kind of ARN that has to be in the stack's region is looked at, by itself."""
    arns = {**ARNS, path: REGIONAL[path].format("us-east-1")}
    assert [each for each, _ in wrong(of_arns(arns), context)] == [path]


@pytest.mark.parametrize("path", REGIONAL | GLOBAL)
def test_arn_of_another_partition(path: str, context: StackContext) -> None:
    """A partition is looked at where the region is right, and where there is none."""
    arns = {**ARNS, path: ARNS[path].replace("arn:aws:", "arn:aws-cn:")}
    ((found, command),) = wrong(of_arns(arns), context)
    assert found == path
    assert "kms" in path or shlex.split(command)[-1] == ARNS[path]


def test_arns_of_another_partition_are_right_there(context: StackContext) -> None:
    """What is wrong in Ireland is right in Beijing."""
    beijing = StackContext(project="overtime", stack="dev", root=context.root, region="cn-north-1")
    there = {
        path: arn.format("cn-north-1").replace("arn:aws:", "arn:aws-cn:") for path, arn in (REGIONAL | GLOBAL).items()
    }
    assert wrong(of_arns(there), beijing) == []
    assert len(wrong(of_arns(ARNS), beijing)) == len(ARNS)


def test_partitions() -> None:
    """Every region that the SDK knows is in the partition that the SDK says."""
    regions = {
        region: partition
        for partition in SDK.get_available_partitions()
        for region in SDK.get_available_regions("sqs", partition_name=partition, allow_non_regional=True)
        if re.fullmatch(r"(?!fips-)[a-z]+(-[a-z]+)+-\d", region)
    }
    assert {"eu-west-1", "cn-north-1", "us-gov-west-1"} < set(regions)
    assert {region: partition_of(region).name for region in regions} == regions


# How many there may be


def ids(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number:08x}" for number in range(count)]


def policies_named(count: int) -> list[str]:
    return [f"arn:aws:iam::123456789012:policy/p{number}" for number in range(count)]


def vpc(subnets: int, groups: int) -> dict[str, object]:
    return {"subnet_ids": ids("subnet", subnets), "security_group_ids": ids("sg", groups)}


def network(subnets: int, groups: int) -> dict[str, object]:
    return one() | {"network": vpc(subnets, groups)}


def layers(count: int) -> list[str]:
    return [f"arn:aws:lambda:eu-west-1:123456789012:layer:l{number}:1" for number in range(count)]


def actions(count: int) -> dict[str, object]:
    return one() | {"alarms": {"action_arns": [f"arn:aws:sns:eu-west-1:123456789012:t{each}" for each in range(count)]}}


@pytest.mark.parametrize(
    ("path", "data", "most"),
    [
        ("network.subnet_ids", lambda count: network(count, 1), 16),
        ("network.security_group_ids", lambda count: network(1, count), 5),
        ("functions.report.vpc.subnet_ids", lambda count: one(vpc=vpc(count, 1)), 16),
        ("functions.report.vpc.security_group_ids", lambda count: one(vpc=vpc(1, count)), 5),
        ("functions.report.policy_arns", lambda count: one(policy_arns=policies_named(count)), 10),
        ("functions.report.layers", lambda count: one(layers=layers(count)), 5),
        ("alarms.action_arns", actions, 5),
    ],
)
def test_most(path: str, data: Any, most: int, context: StackContext) -> None:
    """The command takes away what is too much, not the whole list."""
    assert wrong(data(most), context) == []
    assert wrong(data(most + 1), context) == [(f"{path}.{most}", f"pulumi config rm --path 'overtime:{path}[{most}]'")]


def test_all_wrong_elements_of_a_list_leave_the_other_rules_alone(context: StackContext) -> None:
    """Rules between settings are checked, too, where two elements of a list are wrong."""
    network = {
        "subnet_ids": ["subnet-0a", "x", "subnet-0b", "y"],
        "security_group_ids": ["sg-0a"],
        "cidr": "10.0.0.0/16",
    }
    found = wrong(one(max_runtime="30s", alarms={"longest_run": "2m"}) | {"network": network}, context)
    assert [path for path, _ in found] == [
        "functions.report.max_runtime",
        "network.subnet_ids.1",
        "network.subnet_ids.3",
    ]
    found = wrong(one(task={"cpu": 256}) | {"network": network}, context)
    assert "functions.report.task.memory_mib" in [path for path, _ in found]


# IAM: policies of the function's role


def statements(count: int, length: int) -> list[dict[str, list[str]]]:
    return [{"actions": ["s3:GetObject"], "resources": [f"arn:aws:s3:::{'b' * length}/*"]} for _ in range(count)]


def test_inline_policies(context: StackContext) -> None:
    """A role's own policies have 10,240 characters in all; what is too long is offered a policy of its own."""
    assert wrong(one(permissions=statements(60, 30)), context) == []
    ((path, command),) = wrong(one(permissions=statements(90, 30), policy_arns=policies_named(1)), context)
    assert path == "functions.report.permissions"
    assert shlex.split(command)[-2:] == [
        "overtime:functions.report.policy_arns[1]",
        "arn:aws:iam::123456789012:policy/reports",
    ]


ENVIRONMENT = {
    "vpc": vpc(1, 1),
    "kms_key_arn": KEY.format("us-gov-west-1").replace("arn:aws:", "arn:aws-us-gov:"),
    "tracing": "active",
    "file_systems": [
        {
            "access_point_arn": ACCESS_POINT.format("us-gov-west-1").replace("arn:aws:", "arn:aws-us-gov:"),
            "path": "/mnt/data",
        }
    ],
}


@pytest.mark.parametrize("name", ENVIRONMENT_POLICIES)
def test_inline_policies_with_an_environment(name: str, context: StackContext) -> None:
    """The policy for a function's VPC, key and so on counts, too."""
    here = replace(context, region=None)
    most = max(n for n in range(60, 90) if not wrong(one(permissions=statements(n, 30)), here))
    found = wrong(one(permissions=statements(most, 30), **{name: ENVIRONMENT[name]}), here)
    assert "functions.report.permissions" in [path for path, _ in found]


@pytest.mark.parametrize("name", ENVIRONMENT_POLICIES)
def test_what_is_kept_for_an_environment(name: str) -> None:
    """At its longest, each policy takes no more than is kept for it, and not half as much less."""
    document = environment_policies.environment(
        ecs_arn_prefix="arn:aws-us-gov:ecs:us-gov-west-1:123456789012",
        function_name="n" * LONGEST_FUNCTION_NAME,
        options=(options := Function.model_validate({"code": ".", "handler": "a.b", name: ENVIRONMENT[name]})),
        file_system_arns=[
            "arn:aws-us-gov:elasticfilesystem:us-gov-west-1:123456789012:file-system/fs-0123456789abcdef0"
        ]
        * len(options.file_systems),
    )
    most = ENVIRONMENT_POLICIES[name]
    assert most / 2 < len(json.dumps(document, separators=(",", ":"))) <= most


def test_any_tmp_of_lambdas_fits_into_a_task(context: StackContext) -> None:
    """The smallest disk of a task holds the largest /tmp, and as much again beside it: image, code and layers."""
    taken = [n for n in (10_240, 10_241) if not wrong(one(ephemeral_storage_mib=n), context)]
    disks = [n for n in range(1, 30) if not wrong(one(task={"ephemeral_gib": n}), context)]
    assert disks[0] * 1024 >= 2 * taken[-1]


def test_what_is_kept_for_the_programs_own_policies() -> None:
    """Names at their longest, they take no more than is kept for them, and not half as much less."""
    name = "n" * LONGEST_FUNCTION_NAME
    place = "us-gov-west-1:123456789012"
    layers = [f"arn:aws-us-gov:lambda:{place}:layer:{'l' * 60}{number}:123" for number in range(5)]
    given = [Permission(actions=("s3:GetObject",), resources=("arn:aws-us-gov:s3:::b/*",)) for _ in range(20)]
    primary = policies.primary(
        log_group_arn=f"arn:aws-us-gov:logs:{place}:log-group:/aws/lambda/{name}",
        queue_arn=f"arn:aws-us-gov:sqs:{place}:{'q' * 80}",
        permissions=given,
    )
    runner = policies.runner(
        function_name=name,
        function_arn=f"arn:aws-us-gov:lambda:{place}:function:{name}",
        layer_arns=layers,
        table_arn=f"arn:aws-us-gov:dynamodb:{place}:table/overtime-ledger-runs-0a1b2c3",
        bucket_arn=f"arn:aws-us-gov:s3:::{'b' * 63}",
    )
    theirs = [
        {"Action": p.actions, "Effect": "Allow", "Resource": p.resources, "Sid": f"Own{i}"} for i, p in enumerate(given)
    ]
    counted = len(json.dumps([*theirs, layers], separators=(",", ":")))
    whole = sum(len(json.dumps(document, separators=(",", ":"))) for document in (primary, runner))
    assert OWN_POLICIES / 2 < whole - counted <= OWN_POLICIES


# Tags


def iam_takes(tags: dict[str, str]) -> bool:
    """Say in other words than the settings' what IAM's service model and documentation say."""

    def characters(text: str) -> bool:
        return all(unicodedata.category(each)[0] in "LZN" or each in "_.:/=+-@" for each in text)

    return (
        len(tags) <= 50 - OWN
        and len({key.lower() for key in tags}) == len(tags)
        and all(0 < len(key) <= 128 and characters(key) and not key.lower().startswith("aws:") for key in tags)
        and all(
            len(value) <= 256 and characters(value) and not value.lower().startswith("aws:") for value in tags.values()
        )
    )


TAG = st.one_of(
    st.sampled_from(
        ["owner", "Owner", "aws:x", "AWS:x", "a", "", "zone=a/b", "a,b", "a;b", "Größe", "😀", "a\tb", "हिंदी"]
    ),
    st.text(alphabet="abAB0 _.:/=+-@,&é", max_size=300),
)


@given(
    tags=st.one_of(
        st.dictionaries(TAG, TAG, max_size=4), st.integers(46, 52).map(lambda n: {f"k{i}": "" for i in range(n)})
    )
)
@example(tags={"k" * 128: "v" * 256})
@example(tags={"k" * 129: ""})
@example(tags={"k": "v" * 257})
@ANY_FIXTURE
def test_tags(tags: dict[str, str], context: StackContext) -> None:
    """Tags are taken if, and only if, every resource can have them."""
    found = wrong(one() | {"tags": tags}, context)
    assert (found == []) is iam_takes(tags)


def test_iams_characters() -> None:
    """The model of the installed SDK says the characters that the settings say."""
    shapes = SDK.get_service_model("iam")
    assert shapes.shape_for("tagKeyType").metadata == {"min": 1, "max": 128, "pattern": r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+"}
    assert shapes.shape_for("tagValueType").metadata["max"] == 256


# Keys of functions


@pytest.mark.parametrize(
    "section",
    [{}, {"code": "."}, {"code": ".", "handler": "nothing"}, {"code": ".", "handler": "a.b", "typo": 1}, 5, None, []],
)
@pytest.mark.parametrize("key", ["My Function", "Report", "watcher", "a-dispatcher", "x" * 33])
def test_a_wrong_key_is_told_whatever_its_section_is(key: str, section: object, context: StackContext) -> None:
    """What is missing below a key does not hide that the key itself cannot stay."""
    found = [path for path, _ in wrong({"functions": {key: section}}, context)]
    assert found[0] == f"functions.{key}"
    assert len(found) > 1


# Whatever is given is answered


def test_code_in_a_pipe(context: StackContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe is no zip file, and is not read to find that out: nobody may ever write to it."""
    os.mkfifo(context.root / "pipe")
    read: list[object] = []
    monkeypatch.setattr(zipfile, "is_zipfile", read.append)
    assert [path for path, _ in wrong(one(code="pipe"), context)] == ["functions.report.code"]
    assert read == []


@pytest.mark.parametrize("code", ["x" * 300, "x/" * 3000], ids=["name", "path"])
def test_code_with_a_name_that_is_too_long(code: str, context: StackContext) -> None:
    """What the file system will not even look for is not there."""
    assert [path for path, _ in wrong(one(code=code), context)] == ["functions.report.code"]


@given(
    data=st.recursive(st.one_of(TEXT, st.integers(), st.floats(), st.none()), lambda inner: st.lists(inner, max_size=2))
)
@pytest.mark.parametrize("key", Function.model_fields)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_value_is_taken_or_told(key: str, data: object, context: StackContext) -> None:
    """No value, NUL characters and surrogates among them, ends in anything but settings or problems."""
    for path, command in wrong(one(**{key: data}), context):
        assert path.startswith("functions.report.")
        assert command.startswith("pulumi config ")


def test_every_key_of_a_function_is_tried() -> None:
    assert len(Function.model_fields) > 15
    assert get_args(Function.model_fields["task"].annotation) == ()
