"""Short cuts for tests on the emulator: clients of its root user, and what nearly every test makes or waits for."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.emulator.process import Emulator

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}
PATIENCE_SECONDS = 30


class Aws:
    """Clients of the emulator's root user, with short cuts."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        session = boto3.Session("test", "test", region_name=emulator.settings.region)
        self._client: Callable[[str], Any] = lambda name: session.client(name, endpoint_url=emulator.endpoint)  # type: ignore[call-overload]
        self.iam, self.sqs, self.ecs = self._client("iam"), self._client("sqs"), self._client("ecs")
        self.functions, self.logs, self.ecr = self._client("lambda"), self._client("logs"), self._client("ecr")
        self.s3, self.events, self.sns = self._client("s3"), self._client("events"), self._client("sns")
        self.metrics = self._client("cloudwatch")

    def role(self, name: str, *actions: str) -> str:
        """Make a role that may do `actions` on everything."""
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        self.allow(name, *actions)
        return arn

    def role_arn(self, name: str) -> str:
        """Name a role."""
        return f"arn:aws:iam::{self.emulator.settings.account_id}:role/{name}"

    def allow(self, role: str, *actions: str) -> None:
        """Let a role do these actions and no others."""
        statement = {"Effect": "Allow", "Action": list(actions) or ["sts:GetCallerIdentity"], "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(policy))

    def queue(self, name: str, **attributes: str) -> tuple[str, str]:
        """Make a queue; returns its URL and ARN."""
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    def function(self, name: str, role: str, code: str, *, file: str = "app.py", **more: object) -> None:
        """Make a function of one file, `app.handler`, with one second of time.

        `more` is as CreateFunction takes it.
        """
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(file, code)
        options = {"Runtime": "python3.13", "Handler": "app.handler", "Timeout": 1, **more}
        self.functions.create_function(FunctionName=name, Role=role, Code={"ZipFile": packed.getvalue()}, **options)

    def messages(self, url: str, count: int = 1) -> list[dict[str, Any]]:
        """Receive so many messages."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found) < count and time.monotonic() < deadline:
            options = {"WaitTimeSeconds": 1, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
            found += self.sqs.receive_message(QueueUrl=url, **options).get("Messages", [])
        return found

    def stopped(self, task: str) -> dict[str, Any]:
        """Wait for a task's end and describe it."""
        return self.described(task, lambda found: found["lastStatus"] == "STOPPED")

    def described(self, task: str, wanted: Callable[[dict[str, Any]], bool], cluster: str = "c") -> dict[str, Any]:
        """Describe a task when it is as wanted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"][0]
            if wanted(found):
                return found
            time.sleep(0.1)
        raise TimeoutError(f"The task {task!r} is not as wanted after {PATIENCE_SECONDS} s. See the emulator's log.")

    def output(self, task: str) -> list[str]:
        """Read what a task's container printed."""
        stream = f"t/main/{task.rpartition('/')[2]}"
        time.sleep(0.3)
        events = self.logs.get_log_events(logGroupName="/tasks", logStreamName=stream, startFromHead=True)["events"]
        return [event["message"] for event in events]
