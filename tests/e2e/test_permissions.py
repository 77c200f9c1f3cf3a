"""Each role with one permission taken away: the run does not pass, and what people then read names the permission."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from overtime.contract.runs import RunState
from tests.e2e.chain import logged, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.demo.invocation import Invocation
    from overtime.contract.runs import RunKey
    from tests.e2e.chain import Chain

pytestmark = pytest.mark.e2e

KEY = "echo"


class Roles:
    """The roles of one function."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.iam = chain.session.client("iam")
        functions = chain.session.client("lambda")
        family = chain.output(KEY, "task_family")
        definition = chain.session.client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"]
        dispatcher = functions.get_function_configuration(FunctionName=chain.output(KEY, "dispatcher_name"))
        self.function = name_of(definition["taskRoleArn"])
        self.execution = name_of(definition["executionRoleArn"])
        self.dispatcher = name_of(dispatcher["Role"])

    @contextmanager
    def without(self, role: str, action: str) -> Iterator[None]:
        """Take one action out of a role's policies for a while."""
        documents = self._documents(role)
        assert any(action in statement["Action"] for each in documents.values() for statement in each["Statement"])
        for name, document in documents.items():
            self._put(role, name, {**document, "Statement": list(_left(document["Statement"], action))})
        try:
            yield
        finally:
            for name, document in documents.items():
                self._put(role, name, document)

    def _documents(self, role: str) -> dict[str, Any]:
        names = self.iam.list_role_policies(RoleName=role)["PolicyNames"]
        found = {name: self.iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
        return {name: json.loads(each) if isinstance(each, str) else each for name, each in found.items()}

    def _put(self, role: str, name: str, document: Any) -> None:
        self.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def _left(statements: list[dict[str, Any]], action: str) -> Iterator[dict[str, Any]]:
    for statement in statements:
        if actions := [each for each in statement["Action"] if each != action]:
            yield {**statement, "Action": actions}


def name_of(arn: str) -> str:
    return arn.rpartition("/")[2]


def started(invocation: Invocation, key: RunKey) -> str:
    """Wait for a run's first task; the run itself may wait for its next one already."""

    def first() -> str | None:
        run = invocation.ledger.get(key)
        return next((step.task_arn for step in run.history if step.task_arn), None) if run else None

    return until(first, bool, f"a task for the run {key}") or ""


@pytest.fixture(scope="module")
def roles(chain: Chain) -> Iterator[Roles]:
    """Give the roles, and a queue that delivers again after seconds."""
    sqs, url = chain.session.client("sqs"), chain.output(KEY, "queue_url")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "2"})
    yield Roles(chain)
    sqs.purge_queue(QueueUrl=chain.output(KEY, "parking_queue_url"))


@pytest.mark.parametrize("action", ["ecs:RunTask", "iam:PassRole"])
def test_the_dispatcher_may_not_start_the_task(chain: Chain, roles: Roles, action: str) -> None:
    """The run waits, and says which permission is missing; given back, the next delivery starts the task."""
    invocation = chain.invocation(KEY)
    with roles.without(roles.dispatcher, action):
        key = invocation.send(b"1")
        run = until(
            lambda: invocation.ledger.get(key),
            lambda run: run is not None and run.reason is not None,
            f"a reason in the run {key}",
        )
        assert run is not None
        assert run.state == RunState.QUEUED
        assert action in (run.reason or "")
    assert chain.finished(KEY, key).state == RunState.SUCCEEDED


@pytest.mark.parametrize("action", ["dynamodb:PutItem", "s3:PutObject"])
def test_the_dispatcher_may_not_write_to_the_ledger(chain: Chain, roles: Roles, action: str) -> None:
    """Its log names the permission; given back, the next delivery goes on."""
    invocation = chain.invocation(KEY)
    group = f"/aws/lambda/{chain.output(KEY, 'dispatcher_name')}"
    with roles.without(roles.dispatcher, action):
        key = invocation.send(b"1")
        logged(chain.session, group, lambda line: key.request_id in line and action in line)
        assert invocation.ledger.get(key) is None
    assert chain.finished(KEY, key).state == RunState.SUCCEEDED


@pytest.mark.parametrize("action", ["ecr:BatchGetImage", "logs:CreateLogStream"])
def test_the_execution_role_may_not_prepare_the_container(chain: Chain, roles: Roles, action: str) -> None:
    """ECS stops the task before it runs, and its reason names the permission; given back, the next task runs."""
    invocation = chain.invocation(KEY)
    with roles.without(roles.execution, action):
        key = invocation.send(b"1")
        task_arn = started(invocation, key)
        task = chain.stopped(task_arn)
    assert action in f"{task['stoppedReason']} {[each.get('reason') for each in task['containers']]}"
    assert "exitCode" not in task["containers"][0]
    assert chain.finished(KEY, key).state == RunState.SUCCEEDED


@pytest.mark.parametrize(
    ("action", "end"),
    [
        ("dynamodb:UpdateItem", RunState.SUCCEEDED),
        ("lambda:GetFunction", RunState.FAILED),
        ("s3:GetObject", RunState.FAILED),
    ],
)
def test_the_functions_role_may_not_fetch_the_run(chain: Chain, roles: Roles, action: str, end: RunState) -> None:
    """The container ends with the code for a missing permission, and its one line names it.

    A run that could not even be claimed goes on once the permission is given back; one that was claimed has ended.
    """
    invocation = chain.invocation(KEY)
    with roles.without(roles.function, action):
        key = invocation.send(b"1")
        task_arn = started(invocation, key)
        task = chain.stopped(task_arn)
    assert task["containers"][0]["exitCode"] == 66
    lines = chain.logged(KEY, lambda line: line.startswith("overtime: "), task_arn=task_arn)
    assert action in lines[-1]
    assert chain.finished(KEY, key).state == end


def test_the_function_may_not_leave_its_failed_events(chain: Chain, roles: Roles) -> None:
    """Lambda drops the event, as AWS does with nothing but the metric DeadLetterErrors; the emulator's log says why."""
    invocation, emulator = chain.invocation(KEY), chain.here.emulator
    with roles.without(roles.function, "sqs:SendMessage"):
        began = emulator.settings.log_file.stat().st_size
        key = invocation.send(b"1")
        until(
            lambda: emulator.settings.log_file.read_bytes()[began:].decode(errors="replace"),
            lambda text: "could not keep a failed event" in text and "sqs:SendMessage" in text,
            "the emulator's log to name sqs:SendMessage",
        )
    assert invocation.ledger.get(key) is None
