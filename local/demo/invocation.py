"""One asynchronous invocation of a deployed function, and everything that AWS's APIs say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from local.demo.story import LogLine, Snapshot, Task
from overtime.contract.runs import RunKey
from overtime.ledger.store import RunLedger

if TYPE_CHECKING:
    import boto3

    from overtime.automation import Outputs
    from overtime.ledger.run import Run


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A function of a deployed stack, by the stack's outputs."""

    name: str
    log_group: str
    cluster_arn: str
    ledger_table: str
    ledger_bucket: str


def deployed(outputs: Outputs, key: str) -> Deployed:
    """Find a function of a stack in the stack's outputs."""
    function = cast("Any", outputs)["functions"][key]
    return Deployed(
        name=function["name"],
        log_group=function["log_group"],
        cluster_arn=str(outputs["cluster_arn"]),
        ledger_table=str(outputs["ledger_table"]),
        ledger_bucket=str(outputs["ledger_bucket"]),
    )


class Invocation:
    """An event on its way."""

    def __init__(self, session: boto3.Session, deployed: Deployed) -> None:
        self._deployed = deployed
        self._functions, self._logs, self._ecs = (
            session.client("lambda"),
            session.client("logs"),
            session.client("ecs"),
        )
        self.ledger = RunLedger(
            table=deployed.ledger_table,
            bucket=deployed.ledger_bucket,
            dynamodb=session.client("dynamodb"),
            s3=session.client("s3"),
        )
        self.key: RunKey | None = None

    def send(self, event: bytes) -> RunKey:
        """Invoke the function asynchronously and name the run that may come of it."""
        answer = self._functions.invoke(FunctionName=self._deployed.name, InvocationType="Event", Payload=event)
        self.key = RunKey(self._deployed.name, answer["ResponseMetadata"]["RequestId"])
        return self.key

    def look(self) -> Snapshot:
        """See what can be seen now."""
        run = self.ledger.get(self.key) if self.key else None
        return Snapshot(log=self._log(), run=run, task=self._task(run))

    def _log(self) -> tuple[LogLine, ...]:
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=self._deployed.log_group)
        try:
            events = [event for page in pages for event in page["events"]]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return ()
        return tuple(
            LogLine(stream=event["logStreamName"], at=event["timestamp"] / 1000, text=event["message"])
            for event in events
        )

    def _task(self, run: Run | None) -> Task | None:
        if run is None or run.task_arn is None:
            return None
        found = self._ecs.describe_tasks(cluster=self._deployed.cluster_arn, tasks=[run.task_arn])["tasks"]
        if not found:
            return None
        [task] = found
        started, stopped = task.get("startedAt"), task.get("stoppedAt")
        codes = [container["exitCode"] for container in task["containers"] if "exitCode" in container]
        return Task(
            started_at=started.timestamp() if started else None,
            stopped_at=stopped.timestamp() if stopped and task["lastStatus"] == "STOPPED" else None,
            exit_code=codes[0] if codes else None,
        )
