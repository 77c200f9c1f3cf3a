"""What the watcher counts for somebody who is about to change or remove the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from overtime.contract.backlog import RETIREMENT_SETTING
from overtime.contract.functions_table import FunctionSettings
from overtime.contract.runs import slots_key
from overtime.lambdas.watcher.backlog import backlog
from tests.doubles.ecs import Cluster
from tests.doubles.refusals import refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs import SQSClient


def account(settings: list[dict[str, str]] | Exception) -> Cluster:
    ecs = Cluster()
    ecs.account_settings = settings
    return ecs


def retiring_after(days: str) -> Cluster:
    return account([{"name": RETIREMENT_SETTING, "value": days}])


@pytest.fixture
def sqs() -> Iterator[SQSClient]:
    with mock_aws():
        yield boto3.client("sqs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")


def queue(sqs: SQSClient, name: str, *, visible: int = 0, hidden: int = 0, delayed: int = 0) -> str:
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    for number in range(visible + hidden):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    for number in range(delayed):
        sqs.send_message(QueueUrl=url, MessageBody=str(number), DelaySeconds=900)
    for _ in range(hidden):
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=900)
    return url


def ask(sqs: SQSClient, functions: dict[str, FunctionSettings], keys: list[str], ecs: Cluster) -> tuple[Any, list[str]]:
    failed: list[str] = []
    told = backlog(functions, keys, sqs=sqs, ecs=ecs, failed=lambda what, _: failed.append(what))  # type: ignore[arg-type]
    assert ecs.settings_requests == [{"name": RETIREMENT_SETTING, "effectiveSettings": True}]
    return told, failed


def test_runs_and_messages_are_counted_by_function(sqs: SQSClient) -> None:
    """Messages count wherever in the queue they are; a function that is gone still has its runs."""
    functions = {
        "report": FunctionSettings(
            queue_url=queue(sqs, "q", visible=2, hidden=1, delayed=3), parking_queue_url=queue(sqs, "p", visible=1)
        ),
        "sums": FunctionSettings(queue_url=queue(sqs, "q2"), parking_queue_url=queue(sqs, "p2")),
    }
    keys = ["report/a", "report/b", "gone/c", slots_key("report")]
    told, failed = ask(sqs, functions, keys, retiring_after("14"))
    assert told == {
        "functions": {
            "gone": {"open_runs": 1, "waiting": None, "parked": None},
            "report": {"open_runs": 2, "waiting": 6, "parked": 1},
            "sums": {"open_runs": 0, "waiting": 0, "parked": 0},
        },
        "task_retirement_days": 14,
    }
    assert failed == []


def test_what_aws_refuses_is_unknown_and_logged(sqs: SQSClient) -> None:
    """One refusal costs its own number."""
    missing = "https://sqs.eu-west-1.amazonaws.com/123456789012/missing"
    functions = {"report": FunctionSettings(queue_url=missing, parking_queue_url=queue(sqs, "p"))}
    refusal = refused("AccessDeniedException", call="ListAccountSettings")
    told, failed = ask(sqs, functions, [], account(refusal))
    assert told["functions"] == {"report": {"open_runs": 0, "waiting": None, "parked": 0}}
    assert told["task_retirement_days"] is None
    assert failed == [missing, RETIREMENT_SETTING]


@pytest.mark.parametrize("settings", [[], [{"name": RETIREMENT_SETTING, "value": "enabled"}], [{"name": "other"}]])
def test_a_setting_that_is_no_number_of_days_is_unknown(sqs: SQSClient, settings: list[dict[str, str]]) -> None:
    told, failed = ask(sqs, {}, [], account(settings))
    assert told == {"functions": {}, "task_retirement_days": None}
    assert failed == []


def test_a_key_that_is_no_runs_counts_for_nobody(sqs: SQSClient) -> None:
    """A task may write items; what is no run's key stops no count."""
    told, _ = ask(sqs, {}, ["report", "a b/c", "report/1"], retiring_after("0"))
    assert told["functions"] == {"report": {"open_runs": 1, "waiting": None, "parked": None}}
    assert told["task_retirement_days"] == 0
