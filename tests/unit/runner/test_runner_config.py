"""The task's environment variables: what they mean, and what is said where they mean nothing."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtime.contract.limits import LONGEST_RUN_SECONDS
from overtime.contract.runtimes import DEFAULT
from overtime.runner.config import CONTEXT_FIELDS, FunctionName, handler_path, read
from overtime.runner.errors import BadEnvironmentError

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:report"
TASK = {
    "OVERTIME_RUN_KEY": "report/abc-1",
    "OVERTIME_TASK_ATTEMPT": "3",
    "OVERTIME_LEDGER_TABLE": "runs",
    "OVERTIME_LEDGER_BUCKET": "objects",
    "OVERTIME_FUNCTION_ARN": ARN,
}


def test_a_tasks_environment_names_the_claim() -> None:
    claim = read(TASK).claim
    assert claim is not None
    assert (str(claim.key), claim.attempt, claim.table, claim.bucket) == ("report/abc-1", 3, "runs", "objects")


def test_the_region_is_the_functions_where_no_other_is_set() -> None:
    assert (read(TASK).region, read({**TASK, "AWS_REGION": "us-west-2"}).region) == ("eu-west-1", "us-west-2")


def test_there_is_a_limit_of_14_days_where_none_is_set() -> None:
    assert read(TASK).max_runtime_seconds == LONGEST_RUN_SECONDS == 14 * 86_400


def test_what_is_not_set_has_its_default() -> None:
    """The default is said in one place, so a setting that is read and one that is not read agree."""
    config = read(TASK)
    assert (config.patience_seconds, config.result_patience_seconds, config.stop_seconds) == (300, 86_400, 100)
    assert read({**TASK, "OVERTIME_PATIENCE_SECONDS": "7"}).patience_seconds == 7
    assert read({**TASK, "OVERTIME_RESULT_PATIENCE_SECONDS": "8"}).result_patience_seconds == 8


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("OVERTIME_RUN_KEY", "report", "OVERTIME_RUN_KEY: 'report' is not a run key"),
        ("OVERTIME_RUN_KEY", "report/../x", "cannot be a request id"),
        ("OVERTIME_TASK_ATTEMPT", "0", "OVERTIME_TASK_ATTEMPT = '0' must be a whole number from 1"),
        ("OVERTIME_FUNCTION_ARN", "report", "OVERTIME_FUNCTION_ARN: 'report' is not a function's ARN"),
        ("OVERTIME_MAX_RUNTIME_SECONDS", "1209601", "must be a whole number from 1 to 1209600"),
        ("OVERTIME_MAX_RUNTIME_SECONDS", "²", "must be a whole number"),
        ("OVERTIME_STOP_SECONDS", "121", "OVERTIME_STOP_SECONDS = '121' must be a whole number from 1 to 120"),
        ("OVERTIME_PATIENCE_SECONDS", "-1", "must be a whole number from 0"),
        (
            "OVERTIME_RUNTIME",
            "cobol85",
            "OVERTIME_RUNTIME = 'cobol85' is not a runtime of python, nodejs, java, dotnet, ruby, provided; the image",
        ),
        ("OVERTIME_LEDGER_BUCKET", "", "OVERTIME_LEDGER_BUCKET missing: the task definition and RunTask's override"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str, text: str) -> None:
    with pytest.raises(BadEnvironmentError, match=re.escape(text)):
        read({**TASK, name: value})


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(BadEnvironmentError, match=r"ATTEMPT = 'x' must.*; OVERTIME_RUN_KEY: 'y' is not a run key"):
        read({**TASK, "OVERTIME_TASK_ATTEMPT": "x", "OVERTIME_RUN_KEY": "y"})


@pytest.mark.parametrize(
    ("name", "family", "starts_ahead"),
    [
        ("", "python", True),
        (DEFAULT.name, "python", True),
        ("python3.99", "python", False),
        ("nodejs22.x", "nodejs", False),
        ("java8.al2", "java", False),
        ("provided.al2023", "provided", False),
    ],
)
def test_the_image_names_its_runtime(name: str, family: str, starts_ahead: bool) -> None:  # noqa: FBT001
    """Nothing is assumed about a runtime that is newer than the runner."""
    config = read({**TASK, "OVERTIME_RUNTIME": name})
    assert (config.runtime, config.family.name, config.starts_ahead) == (name, family, starts_ahead)


def test_only_a_bootstrap_of_the_functions_own_needs_no_handler() -> None:
    by_hand = {"AWS_LAMBDA_FUNCTION_EVENT": "1"}
    assert read({**by_hand, "OVERTIME_RUNTIME": "provided.al2023"}).handler is None
    with pytest.raises(BadEnvironmentError, match="AWS_LAMBDA_HANDLER_PATH is missing"):
        read({**by_hand, "OVERTIME_RUNTIME": "nodejs22.x"})


@given(st.dictionaries(st.sampled_from([*TASK, "OVERTIME_STOP_SECONDS", "AWS_LAMBDA_FUNCTION_EVENT"]), st.text()))
def test_whatever_is_set_there_is_a_setting_or_a_named_fault(environ: dict[str, str]) -> None:
    by_hand = "AWS_LAMBDA_FUNCTION_EVENT" in environ
    with suppress(BadEnvironmentError):
        config = read(environ)
        assert (config.claim is None) is by_hand
        assert not by_hand or config.function is not None, "there is no other handler"


def test_an_event_by_hand_is_kept_byte_for_byte() -> None:
    event = '{"a" : 1.0,\n "ü": "\\u00fc"}'
    config = read({"AWS_LAMBDA_FUNCTION_EVENT": event, "AWS_LAMBDA_HANDLER_PATH": "app.handler"})
    assert (config.event, config.claim) == (event.encode(), None)


@pytest.mark.parametrize("name", sorted(CONTEXT_FIELDS))
def test_null_in_a_context_by_hand_is_as_if_it_were_not_there(name: str) -> None:
    by_hand = {"AWS_LAMBDA_FUNCTION_EVENT": "1", "AWS_LAMBDA_HANDLER_PATH": "app.handler"}
    assert read({**by_hand, "AWS_LAMBDA_FUNCTION_CONTEXT": json.dumps({name: None})}).context == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app.handler", (None, "app.handler")),
        ("pkg/mod.handler", (None, "pkg/mod.handler")),
        ("/code:pkg/mod.handler", ("/code", "pkg/mod.handler")),
        ("/code/app.handler", ("/code", "app.handler")),
        ("/app.handler", ("/", "app.handler")),
        ("example.Handler::handleRequest", (None, "example.Handler::handleRequest")),
        ("/code:example.Handler::handleRequest", ("/code", "example.Handler::handleRequest")),
        ("/code/example.Handler::handleRequest", ("/code", "example.Handler::handleRequest")),
        ("", (None, None)),
    ],
)
def test_a_handlers_path(text: str, expected: tuple[str | None, str | None]) -> None:
    assert handler_path(text) == expected


@pytest.mark.parametrize(
    ("arn", "name", "qualifier"),
    [(ARN, "report", None), (f"{ARN}:7", "report", "7"), (ARN.replace("aws", "aws-cn", 1), "report", None)],
)
def test_a_functions_arn_may_have_a_qualifier(arn: str, name: str, qualifier: str | None) -> None:
    function = FunctionName(arn)
    assert (function.name, function.qualifiers, function.region) == (name, [qualifier], "eu-west-1")
    assert not function.run_names_version


@pytest.mark.parametrize(
    ("arn", "version", "qualifier", "invoked", "qualifiers"),
    [
        (ARN, "7", "live", f"{ARN}:live", ["7", "live", None]),
        (ARN, "7", "7", f"{ARN}:7", ["7", None]),
        (ARN, None, "live", f"{ARN}:live", ["live", None]),
        (ARN, "7", None, ARN, ["7", None]),
        (f"{ARN}:live", "7", "live", f"{ARN}:live", ["7", "live"]),
        (f"{ARN}:live", "7", "next", f"{ARN}:next", ["7", "next", "live"]),
    ],
)
def test_a_run_may_name_the_version_that_failed(
    arn: str, version: str | None, qualifier: str | None, invoked: str, qualifiers: list[str | None]
) -> None:
    """The version first, then what was invoked, then what the task definition names."""
    given = {"OVERTIME_FUNCTION_VERSION": version or "", "OVERTIME_FUNCTION_QUALIFIER": qualifier or ""}
    function = read({**TASK, "OVERTIME_FUNCTION_ARN": arn, **given}).function
    assert function is not None
    assert (function.arn, function.qualifiers, function.run_names_version) == (invoked, qualifiers, True)
