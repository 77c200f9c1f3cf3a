"""Wrong configurations and their exact messages."""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from textwrap import indent
from typing import Any, get_args, get_origin

import pulumi
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from overtime.configuration import load
from overtime.errors import OvertimeError
from overtime.settings import Problem, Settings, SettingsError, StackContext, parse
from tests.unit.settings import codes

Configure = Callable[..., None]


@pytest.fixture
def context(tmp_path: Path) -> StackContext:
    codes.make(tmp_path)
    return StackContext(project="overtime", stack="dev", root=tmp_path)


def configuration(**function: object) -> dict[str, object]:
    return {"functions": {"report": {"code": "code", "handler": "handler.handler", **function}}}


def report_of(data: dict[str, object], context: StackContext, secret_keys: tuple[str, ...] = ()) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(data, context, secret_keys=secret_keys)
    return str(caught.value)


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Set a stack's configuration as the engine hands it over: text as it is, everything else as JSON."""

    def set_all(config: dict[str, object], secret: Sequence[str] = ()) -> None:
        values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
        pulumi.runtime.set_all_config(values, list(secret))

    yield set_all
    pulumi.runtime.set_all_config({})


WRONG = {
    case: each
    for name in ("wrong_settings.yaml", "wrong_code.yaml")
    for case, each in yaml.safe_load(Path(__file__).with_name(name).read_text()).items()
}


@pytest.mark.parametrize("case", WRONG)
def test_message(case: str, context: StackContext) -> None:
    """A wrong setting is told with its path, its value, the rule and the command that fixes it."""
    expected = "overtime: 1 setting is invalid\n\n" + indent(WRONG[case]["message"], "  ").rstrip("\n")
    assert report_of(WRONG[case]["given"], context).replace(str(context.root), "ROOT") == expected


@pytest.mark.parametrize("case", WRONG)
def test_message_in_a_stack(case: str, context: StackContext, configure: Configure) -> None:
    """A stack's configuration file gets the same message as a mapping, whatever the engine makes of its values."""
    configure({f"overtime:{key}": value for key, value in WRONG[case]["given"].items()})
    with pytest.raises(SettingsError) as caught:
        load(context)
    assert str(caught.value) == report_of(WRONG[case]["given"], context)


def fixed(data: dict[str, object], problems: Sequence[Problem]) -> dict[str, object]:
    """Do what the printed commands do to a configuration."""
    data = copy.deepcopy(data)
    for problem in problems:
        *_, action, _, key, value = shlex.split(f"{problem.command} {'' if problem.fix is not None else '-'}")
        *way, last = key.removeprefix("overtime:").split(".")
        holder: Any = data
        for step in way:
            holder = holder.setdefault(step, {})
        if action == "rm":
            del holder[last]
        else:
            holder[last] = yaml.safe_load(value)
    return data


NUMBERS = st.sampled_from([0, 1, 60, 128, 256, 512, 1000, 1024, 3000, 3008, 4096, 8192, 10240, 16384, 122880, 130000])
SPANS = st.sampled_from([0, 1, 59, 60, 119, 120, 899, 900, 86_400, 1_209_600, 1_209_601, "90m", "1d12h", "14d", "15d"])


@given(
    function=st.fixed_dictionaries(
        {},
        optional={
            "memory_mib": NUMBERS,
            "timeout_seconds": SPANS,
            "max_runtime": SPANS,
            "max_event_age": SPANS,
            "max_task_attempts": st.integers(0, 11),
            "attempts": st.integers(0, 4),
            "rescue": st.sampled_from(["any", "timeout", "never"]),
            "task": st.fixed_dictionaries(
                {},
                optional={"cpu": NUMBERS, "memory_mib": NUMBERS, "capacity": st.sampled_from(["spot", "on_demand"])},
            ),
            "alarms": st.fixed_dictionaries({}, optional={"longest_run": SPANS}),
        },
    ),
    retention=st.fixed_dictionaries({}, optional={"runs_days": st.integers(0, 40), "logs_days": st.integers(0, 8)}),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_the_offered_fixes_lead_somewhere(
    function: dict[str, object], retention: dict[str, object], context: StackContext
) -> None:
    """Whoever copies the commands of each report has settings that work after three reports at most."""
    data = configuration(**function) | {"retention": retention}
    for _ in range(3):
        try:
            parse(data, context)
        except SettingsError as error:
            data = fixed(data, error.problems)
    parse(data, context)


def test_a_renamed_project(context: StackContext, configure: Configure) -> None:
    """A project with another name has its settings, and the commands that fix them, below that name."""
    renamed = replace(context, project="reports")
    configure({f"reports:{key}": value for key, value in configuration(attempts=9).items()})
    with pytest.raises(SettingsError, match=r"reports:functions\.report\.attempts = 9\n") as caught:
        load(renamed)
    assert "pulumi config set --path reports:functions.report.attempts 3" in str(caught.value)
    configure({f"reports:{key}": value for key, value in configuration(attempts=2).items()})
    assert load(renamed).functions["report"].attempts == 2


def test_what_a_renamed_project_left_behind(context: StackContext, configure: Configure) -> None:
    """Keys below the old name would change nothing, so they are told, without their values."""
    configure({"overtime:retention": {"runs_days": 90}, **{f"reports:{key}": v for key, v in configuration().items()}})
    with pytest.raises(SettingsError) as caught:
        load(replace(context, project="reports"))
    assert str(caught.value) == (
        "overtime: 1 setting is invalid\n\n"
        "  overtime:retention = [withheld: it may be a secret]\n"
        "    The project is named 'reports', so this key has no effect. Move it to reports:retention.\n"
        "    pulumi config rm --path overtime:retention"
    )


def test_secret_in_a_stack(context: StackContext, configure: Configure) -> None:
    """Below a key that the stack marks as secret, no text appears."""
    configure(
        {f"overtime:{key}": value for key, value in configuration(runtime="s3cret").items()}, ["overtime:functions"]
    )
    with pytest.raises(SettingsError, match=r"runtime = \[withheld: it may be a secret\]") as caught:
        load(context)
    assert "s3cret" not in str(caught.value)


def test_at_least_twenty() -> None:
    """The table covers twenty wrong configurations and more."""
    assert len(WRONG) >= 20


Steps = tuple[str | int, ...]


def sections(of: type[BaseModel], path: Steps = ()) -> Iterator[tuple[Steps, list[str]]]:
    """List every section of the settings: where one is, and its keys."""
    yield path, list(of.model_fields)
    for name, field in of.model_fields.items():
        inner = get_args(field.annotation)
        step: Steps
        if get_origin(field.annotation) is tuple:
            below, step = inner[0], (name, 0)
        else:
            below, step = (inner[-1], (name, "report")) if inner else (field.annotation, (name,))
        if isinstance(below, type) and issubclass(below, BaseModel):
            yield from sections(below, (*path, *step))


SECTIONS = dict(sections(Settings))


def with_value(path: Steps, value: object) -> dict[str, object]:
    """Give a configuration with one value at a path."""
    holder: Any = (data := configuration())
    for step, following in pairwise(path):
        if isinstance(step, str):
            holder.setdefault(step, [{}] if following == 0 else {})
        holder = holder[step]
    holder[path[-1]] = value
    return data


def test_sections() -> None:
    """What the next test goes through is not empty by mistake."""
    assert {("functions", "report", "permissions", 0), ("functions", "report", "alarms"), ("network",)} < set(SECTIONS)


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: ".".join(map(str, path)) or "top")
def test_every_section_knows_its_keys(path: Steps, context: StackContext) -> None:
    """A typo is answered with the keys of its section, wherever a section is, and so is a number in its place."""
    keys = ", ".join(SECTIONS[path])
    assert f"The keys here are {keys}." in report_of(with_value((*path, "zzzzzz"), 1), context)
    if path:
        assert f"This is a section; its keys are {keys}." in report_of(with_value(path, 1), context)


def test_all_at_once(context: StackContext) -> None:
    """Problems of single settings and problems between settings come in one report."""
    data = configuration(timeout_seconds=0, task={"cpu": 512, "memory_mib": 3000}, handler="other.main")
    text = report_of(data | {"network": {"cidr": "8.8.0.0/16"}}, context)
    assert text.startswith("overtime: 4 settings are invalid\n")
    for key in (
        "timeout_seconds = 0",
        "task.memory_mib = 3000",
        "handler = 'other.main'",
        "network.cidr = '8.8.0.0/16'",
    ):
        assert f"{key}\n" in text


def test_no_consequential_errors(context: StackContext) -> None:
    """A rule that compares with a wrong setting stays silent until that one is fixed."""
    text = report_of(configuration(task={"cpu": 1000, "memory_mib": 30720}), context)
    assert text.startswith("overtime: 1 setting is invalid")
    assert "task.cpu" in text


@pytest.mark.parametrize(
    "data",
    [
        configuration(environment={"PASSWORD": ["s3cret"]}),
        configuration(environment={"my-name": "s3cret"}),
        configuration(environment={"PASSWORD": "s3cret" * 1000}),
        configuration(enviroment={"PASSWORD": "s3cret"}),
        configuration(enviroment="s3cret"),
        configuration(environment="s3cret"),
        configuration(task={"environment": {"PASSWORD": "s3cret"}}),
    ],
)
def test_variables_are_never_shown(data: dict[str, object], context: StackContext) -> None:
    """A variable's value, even below a misspelt key, does not appear in a message."""
    text = report_of(data, context)
    assert "s3cret" not in text
    assert "[withheld: it may be a secret]" in text


def test_secret_configuration_is_never_shown(context: StackContext) -> None:
    """Below a key that holds a secret, no text appears, because any of it may be the secret."""
    text = report_of(configuration(runtime="s3cret", timeout_seconds=6000), context, secret_keys=("functions",))
    assert "s3cret" not in text
    assert "runtime = [withheld: it may be a secret]" in text
    assert "timeout_seconds = 6000" in text


def test_long_stack_name(context: StackContext) -> None:
    """Names that AWS would refuse are refused before, with the name and its length."""
    far = StackContext(project="overtime", stack="a-stack-with-a-name-that-is-rather-long-x", root=context.root)
    text = report_of(configuration(), far)
    assert "'overtime-a-stack-with-a-name-that-is-rather-long-x-report' (57 characters)" in text
    assert "at most 53" in text


QUEUE = "arn:aws:sqs:us-east-1:123456789012:finished-runs"
KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef"


def test_destination_in_another_region(context: StackContext) -> None:
    """The watcher's clients are the region's own, so a target elsewhere, which no record could reach, is refused."""
    here = replace(context, region="eu-west-1")
    assert report_of(configuration(destinations={"on_failure": QUEUE}), here) == (
        "overtime: 1 setting is invalid\n\n"
        f"  overtime:functions.report.destinations.on_failure = {QUEUE!r}\n"
        "    The watcher sends from the stack's region, eu-west-1, and cannot reach us-east-1."
        " Name a destination in eu-west-1; a topic or an event bus there can forward records.\n"
        "    pulumi config set --path overtime:functions.report.destinations.on_failure"
        " arn:aws:sqs:eu-west-1:123456789012:finished-runs"
    )


def test_key_in_another_region(context: StackContext) -> None:
    """So is a key that cannot be the one of a queue or topic here."""
    here = replace(context, region="eu-west-1")
    target = QUEUE.replace("us-east-1", "eu-west-1")
    text = report_of(configuration(destinations={"on_success": target, "kms_key_arns": [KEY]}), here)
    assert f"overtime:functions.report.destinations.kms_key_arns[0] = {KEY!r}\n" in text
    assert "A queue or topic in the stack's region, eu-west-1, cannot be encrypted with a key in us-east-1." in text


@pytest.mark.parametrize("region", [None, "us-east-1"])
def test_destination_in_the_region(region: str | None, context: StackContext) -> None:
    """A target and a key in the stack's region are taken, and any where the region is not known."""
    parse(
        configuration(destinations={"on_success": QUEUE, "kms_key_arns": [KEY]}),
        replace(context, region=region),
    )


def test_environment_too_large(context: StackContext) -> None:
    """More variables than Lambda takes are refused, with their size and without their values."""
    text = report_of(configuration(environment={"BLOB": "x" * 5000}), context)
    assert "overtime:functions.report.environment = [withheld: it may be a secret]\n" in text
    assert "Lambda accepts 4096 bytes of variables, measured as JSON with quotes and escapes; these have 5011." in text


def test_family() -> None:
    """People who embed overtime catch everything with one class."""
    assert issubclass(SettingsError, OvertimeError)


def test_parse_leaves_the_mapping_alone(context: StackContext) -> None:
    """Checking does not change what it was given."""
    data = configuration(timeout_seconds=0, task={"cpu": 1000})
    before = copy.deepcopy(data)
    report_of(data, context)
    assert data == before
