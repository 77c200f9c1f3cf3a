"""What a handler sees in a container beside what it sees on Lambda: every row of docs/context.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from local.demo.table import table
from tests.unit.runner.context_table import attributes, variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.chain import Chain
    from tests.unit.runner.context_table import Row

pytestmark = pytest.mark.e2e

KEY = "seen"
OWN = {"GREETING"}
"""The function's own variables."""
CONFIGURED = {
    "function_name": "overtime-chain-seen",
    "function_version": "$LATEST",
    "memory_limit_in_mb": "512",
    "log_group_name": "/aws/lambda/overtime-chain-seen",
    "identity": {"cognito_identity_id": None, "cognito_identity_pool_id": None},
    "_HANDLER": "seen.handler",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
    "AWS_LAMBDA_FUNCTION_NAME": "overtime-chain-seen",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_LOG_FORMAT": "Text",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/overtime-chain-seen",
}
"""What AWS's guide says of this function, for every row that the page calls the same."""
OTHER_IN_THE_EMULATOR = {"memory_limit_in_mb", "identity"}
"""Lambda's client gives a text and an object here, as the container does; the emulator's Lambda a number and None."""


@dataclass(frozen=True)
class Seen:
    """What one handler saw in both places."""

    on_lambda: dict[str, Any]
    in_container: dict[str, Any]
    request_id: str
    stream: str


@pytest.fixture(scope="module")
def seen(chain: Chain) -> Seen:
    """Run the handler in both places."""
    functions, name = chain.session.client("lambda"), chain.function(KEY).name
    run = chain.run(KEY, b'{"n": 1}')
    functions.delete_function_concurrency(FunctionName=name)
    try:
        answer = functions.invoke(FunctionName=name, Payload=b'{"n": 1}')
        on_lambda = json.loads(answer["Payload"].read())
    finally:
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    return Seen(
        on_lambda,
        chain.document(KEY, run),
        run.key.request_id,
        f"overtime/runner/{(run.task_arn or '').rpartition('/')[2]}",
    )


def test_every_context_attribute_is_as_the_page_says(seen: Seen) -> None:
    there, here = seen.on_lambda["context"], seen.in_container["context"]
    rows = attributes()
    methods = {name for name in rows if name.endswith("()")} - {"get_remaining_time_in_millis()"}
    show(rows, there, here)
    assert set(here) == set(rows) - methods
    for name, row in rows.items():
        if row.same and name not in methods | {"aws_request_id"}:
            assert here[name] == CONFIGURED[name], name
            assert name in OTHER_IN_THE_EMULATOR or there[name] == here[name], name
    assert here["aws_request_id"] == seen.request_id
    assert here["log_stream_name"] == seen.stream
    assert here["invoked_function_arn"] == there["invoked_function_arn"].removesuffix(":$LATEST")
    assert (here["client_context"], here["tenant_id"]) == (None, None)
    assert 7 * 86_400_000 - 60_000 < here["get_remaining_time_in_millis()"] <= 7 * 86_400_000


def test_every_variable_is_as_the_page_says(seen: Seen) -> None:
    there, here = seen.on_lambda["environment"], seen.in_container["environment"]
    rows = variables()
    show(rows, there, here)
    assert set(here) - OWN <= set(rows), "a variable that the page does not name"
    assert [name for name in here if name.startswith("OVERTIME_")] == []
    for name, row in rows.items():
        if row.absent:
            assert name not in here, name
        elif row.literal is not None:
            assert here[name] == row.literal, name
        elif row.same and not row.sometimes:
            assert here[name] == CONFIGURED[name], name
            assert there.get(name, here[name]) == here[name], name
        elif not row.sometimes:
            assert here[name], name
    assert here["AWS_LAMBDA_LOG_STREAM_NAME"] == seen.stream
    assert here["GREETING"] == there["GREETING"] == "hello from seen"


def test_the_event_and_the_folder_are_the_same(seen: Seen) -> None:
    assert seen.in_container["event"] == seen.on_lambda["event"] == {"n": 1}
    assert seen.in_container["cwd"] == "/var/task"


def show(rows: dict[str, Row], there: dict[str, Any], here: dict[str, Any]) -> None:
    """Print both values of every row, without keys."""
    print(table(("name", "on Lambda", "in the container", "why"), list(lines(rows, there, here))))  # noqa: T201 - with -s


def lines(rows: dict[str, Row], there: dict[str, Any], here: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, row in rows.items():
        secret = any(word in name for word in ("KEY", "TOKEN", "CREDENTIALS"))
        values = (
            "(withheld)" if secret and name in place else str(place.get(name, "absent")) for place in (there, here)
        )
        yield name, *values, row.why
