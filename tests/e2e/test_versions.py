"""A version that failed on Lambda runs in the container, whatever was deployed since; its records go to a destination.

The program's own functions have a dead-letter queue, whose messages name no version. So the test does what people do to
functions of their own: it names the failure queue as the on-failure destination of an alias.
"""

from __future__ import annotations

import io
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from overtime.contract.runs import RunKey, RunState
from tests.e2e.chain import Chain, function, stack_of, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.stack import Machine
    from overtime.ledger.run import Run

pytestmark = pytest.mark.e2e

KEY, ALIAS = "versioned", "live"
CODE = """
import os, time

def handler(event, context):
    while context.get_remaining_time_in_millis() < 60_000:  # on Lambda
        time.sleep(0.05)
    told = [{version!r}, os.environ["GREETING"], context.function_version, context.invoked_function_arn]
    return told
"""


class Versions:
    """A function with an alias, deployed by other means than the program."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.name = chain, chain.function(KEY).name
        self.functions, self.sqs = chain.session.client("lambda"), chain.session.client("sqs")
        self.queue_url = chain.output(KEY, "queue_url")
        [mapping] = self.functions.list_event_source_mappings(FunctionName=chain.output(KEY, "dispatcher_name"))[
            "EventSourceMappings"
        ]
        self._mapping, queue_arn = mapping["UUID"], mapping["EventSourceArn"]
        # An empty ARN removes the dead-letter queue, whose message would be another record of the same run.
        self.functions.update_function_configuration(FunctionName=self.name, DeadLetterConfig={"TargetArn": ""})
        self.publish("1")
        self.functions.create_alias(FunctionName=self.name, Name=ALIAS, FunctionVersion="1")
        self.functions.put_function_event_invoke_config(
            FunctionName=self.name,
            Qualifier=ALIAS,
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": queue_arn}},
        )

    def publish(self, version: str) -> None:
        """Publish the next version, with code and a variable of its own."""
        code = zipped(CODE.format(version=f"code of {version}"))
        self.functions.update_function_code(FunctionName=self.name, ZipFile=code)
        variables = {"GREETING": f"hello from {version}"}
        self.functions.update_function_configuration(FunctionName=self.name, Environment={"Variables": variables})
        assert self.functions.publish_version(FunctionName=self.name)["Version"] == version

    def point(self, version: str) -> None:
        """Let the alias refer to another version."""
        self.functions.update_alias(FunctionName=self.name, Name=ALIAS, FunctionVersion=version)

    def failed(self) -> RunKey:
        """Invoke the alias, and wait until Lambda has left the failure on the queue."""
        answer = self.functions.invoke(FunctionName=self.name, Qualifier=ALIAS, InvocationType="Event", Payload=b"{}")
        until(self._waiting, bool, "the failure record")
        return RunKey(self.name, answer["ResponseMetadata"]["RequestId"])

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the queue's deliveries back for a while."""
        self._deliver(enabled=False)
        try:
            yield
        finally:
            self._deliver(enabled=True)

    def _deliver(self, *, enabled: bool) -> None:
        self.functions.update_event_source_mapping(UUID=self._mapping, Enabled=enabled)
        until(
            lambda: self.functions.get_event_source_mapping(UUID=self._mapping)["State"],
            lambda state: state == ("Enabled" if enabled else "Disabled"),
            "the event source mapping",
        )

    def _waiting(self) -> int:
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"])


def zipped(code: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", code)
    return packed.getvalue()


@pytest.fixture(scope="module")
def versions(here: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versions]:
    """Deploy the function, and publish its first version."""
    folder: Path = tmp_path_factory.mktemp("versioned")
    (folder / "app.py").write_text(CODE.format(version="the program's"))
    own = function("app.handler", here.runtime, code=str(folder), attempts=1, timeout_seconds=1)
    deployment = here.deployment(stack_of({KEY: own}, here.runtime, here.base.reference), stack="versions")
    try:
        yield Versions(Chain(here, deployment.up().outputs))
    finally:
        deployment.destroy(remove=True)


def shown(versions: Versions, run: Run) -> list[str]:
    """Return what the handler told; only on success."""
    assert (run.state, run.reason) == (RunState.SUCCEEDED, None)
    told: list[str] = versions.chain.document(KEY, run)
    return told


def test_a_version_that_failed_finishes_although_another_is_deployed_meanwhile(versions: Versions) -> None:
    """Code, variables, version and ARN are those of the invocation; with IAM enforced, so the role may fetch it."""
    with versions.held():
        key = versions.failed()
        versions.publish("2")
        versions.point("2")
    run = versions.chain.finished(KEY, key)
    arn = versions.functions.get_function_configuration(FunctionName=versions.name)["FunctionArn"]
    assert shown(versions, run) == ["code of 1", "hello from 1", "1", f"{arn}:{ALIAS}"]
    assert (run.failure.form, run.failure.version, run.failure.qualifier) == ("destination", "1", ALIAS)
    assert run.executed_version == "1"


def test_a_version_that_is_deleted_meanwhile_is_replaced_by_the_aliases_and_log_and_ledger_say_so(
    versions: Versions,
) -> None:
    versions.point("2")
    with versions.held():
        key = versions.failed()
        versions.publish("3")
        versions.point("3")
        versions.functions.delete_function(FunctionName=versions.name, Qualifier="2")
    run = versions.chain.finished(KEY, key)
    assert shown(versions, run)[:3] == ["code of 3", "hello from 3", "3"]
    assert (run.failure.version, run.executed_version) == ("2", "3")
    text = f"overtime: {versions.name} no longer has version 2, which failed on Lambda, so version 3 runs instead."
    versions.chain.logged(KEY, lambda line: line.rstrip() == text, task_arn=run.task_arn or "")
