"""The emulator's pure parts: settings, fault rules, the record of calls, and the refusal of another ministack."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from local.emulator import Call, Emulator, EmulatorSettings, read_calls
from local.emulator.calls import write_call
from local.emulator.faults import Fault, Faults, matches
from local.emulator.patches import WRITTEN_FOR, check_version
from local.emulator.patches.patching import replace
from local.emulator.patches.queue_delays import shortened
from local.errors import LocalError


def settings(**changes: object) -> EmulatorSettings:
    """Make settings that differ from the usual ones by `changes`."""
    return EmulatorSettings(**{"state_folder": Path("/state"), **changes})  # type: ignore[arg-type]


def fault(**changes: object) -> Fault:
    """Make a rule that answers 500."""
    return {"respond": {"status": 500, "body": {}}, **changes}  # type: ignore[typeddict-item]


def call(**changes: str) -> Call:
    """Make a call of a role."""
    values = {"caller": "arn:aws:sts::1:assumed-role/dispatcher/f", "action": "sqs:SendMessage", **changes}
    return Call(time="2026-01-01T00:00:00.000Z", resource="*", status=200, **values)


def test_nothing_of_the_developers_environment_reaches_the_emulator() -> None:
    """Credentials, proxies, Python settings: only PATH goes over."""
    host = {
        "PATH": "/bin",
        "AWS_SECRET_ACCESS_KEY": "theirs",
        "AWS_PROFILE": "p",
        "PYTHONPATH": "/x",
        "HOME": "/home/me",
    }
    given = settings().environment(4566, host)
    assert given["PATH"].endswith(f"{os.pathsep}/bin")
    assert given["AWS_SECRET_ACCESS_KEY"] == "test"
    assert given["HOME"] == "/state"
    assert not {"AWS_PROFILE", "PYTHONPATH"} & given.keys()


def test_settings_become_the_servers_environment() -> None:
    """Each setting has its variable."""
    shorter = {"retry_base_seconds": 0.5, "schedule_seconds_per_minute": 2, "delay_seconds_per_minute": 6}
    given = settings(enforce_iam=True, docker_host="unix:///d", **shorter).environment(7, {})
    expected = {
        "AUTH": "true",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.5",
        "OVERTIME_EMULATOR_MINUTE": "2",
        "OVERTIME_EMULATOR_DELAY": "6",
        "DOCKER_HOST": "unix:///d",
        "GATEWAY_PORT": "7",
    }
    assert expected.items() <= given.items()
    assert "OVERTIME_EMULATOR_CALLS" not in given
    assert "OVERTIME_EMULATOR_CALLS" in settings(record_calls=True).environment(7, {})
    assert "OVERTIME_EMULATOR_PARENT" not in settings(outlive_parent=True).environment(7, {})


def test_another_ministack_is_refused() -> None:
    """The message names both versions and what to do."""
    check_version(WRITTEN_FOR)
    with pytest.raises(
        LocalError, match=r"ministack '9\.9' is installed, .* written for 1\.5\.33: .* Run `make setup`"
    ):
        check_version("9.9")


def test_a_function_that_is_not_there_is_not_replaced() -> None:
    """A patch whose place is gone fails at the start instead of doing nothing."""
    with pytest.raises(LocalError, match=r"json has no 'no_such', which local/emulator/patches replaces"):
        replace(json, "no_such", None)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, True),
        ({"service": "ecs", "action": "RunTask", "contains": "run-7", "caller": "dispatcher"}, True),
        ({"service": "sqs"}, False),
        ({"action": "StopTask"}, False),
        ({"contains": "run-8"}, False),
        ({"caller": "runner"}, False),
    ],
)
def test_what_a_fault_rule_matches(rule: dict[str, str], expected: bool) -> None:  # noqa: FBT001 - a case
    """Everything that a rule names must agree; what it does not name matches everything."""
    found = matches(fault(**rule), service="ecs", action="RunTask", body='{"x": "run-7"}', caller="…/dispatcher/f")
    assert found is expected


def test_a_rule_is_used_as_often_as_it_says(tmp_path: Path) -> None:
    """The first rule that is not used up answers; writing the file anew starts the count anew; no file is no fault."""
    file = tmp_path / "faults.json"
    faults = Faults(file)
    asked = {"service": "ecs", "action": "RunTask", "body": "", "caller": ""}
    assert faults.take(**asked) is None
    file.write_text(json.dumps([fault(times=1, action="RunTask"), fault(times=1)]))
    assert [faults.take(**asked) is not None for _ in range(3)] == [True, True, False]
    os.utime(file, ns=(1, 1))
    assert faults.take(**asked) is not None


def test_calls_are_written_and_read(tmp_path: Path) -> None:
    """The record gives back what was written, with the role's name taken from the caller."""
    path = tmp_path / "calls.jsonl"
    assert read_calls(path) == []
    write_call(path, call())
    write_call(path, call(caller="arn:aws:iam::1:root"))
    assert [each.role for each in read_calls(path)] == ["dispatcher", ""]
    assert read_calls(path)[0] == call()


def test_an_emulator_without_record_says_so() -> None:
    """Asking for calls that nobody recorded is an error that names the setting."""
    with pytest.raises(LocalError, match=r"keeps no record of calls\. Set record_calls"):
        Emulator(settings()).calls()
    with pytest.raises(LocalError, match=r"not running\. Call start"):
        _ = Emulator(settings()).pid


def test_of_a_delay_only_its_share_lasts() -> None:
    """A tenth of 300 seconds is 30; without a delay nothing changes."""
    assert shortened(1000.0, 1300.0, 0.1) == pytest.approx(1030.0)
    assert shortened(1000.0, 1000.0, 0.1) == pytest.approx(1000.0)
