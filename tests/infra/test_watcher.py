from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from overtime.contract.functions_table import FunctionSettings
from overtime.lambdas.watcher.config import Config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

FUNCTION, RULES = "overtime-watcher-function", "overtime-watcher-rules"
LAMBDA, SQS = "arn:aws:lambda:eu-west-1:123456789012:function", "https://sqs.eu-west-1.amazonaws.com/123456789012"
TOPIC, QUEUE = "arn:aws:sns:eu-west-1:123456789012:failed", "arn:aws:sqs:eu-west-1:123456789012:done"


def before(recorder: Recorder, suffix: str, name: str) -> set[str]:
    return {urn.rpartition("::")[2] for urn in recorder.one(suffix, name).after}


def test_function(deploy: Deploy, recorder: Recorder) -> None:
    """One small function with a forced name looks after all; what fails is not tried again, for the clock comes."""
    deploy({"report": {}, "sums": {}})

    inputs = recorder.inputs("lambda/function:Function", FUNCTION)
    assert {key: value for key, value in inputs.items() if key not in {"code", "environment"}} == {
        "name": "overtime-test-watcher",
        "role": "arn:aws:iam::123456789012:role/overtime-watcher-role-0a1b2c3",
        "handler": "overtime.lambdas.watcher.handler.handler",
        "runtime": "python3.13",
        "architectures": ["x86_64"],
        "timeout": 300,
        "memorySize": 512,
    }
    assert recorder.inputs("FunctionEventInvokeConfig", "overtime-watcher-one-try") == {
        "functionName": "overtime-test-watcher",
        "maximumRetryAttempts": 0,
        "maximumEventAgeInSeconds": 300,
    }


def test_environment(deploy: Deploy, recorder: Recorder) -> None:
    """The watcher is told where ledger and cluster are, and whose figures it writes."""
    outputs = deploy()

    assert recorder.inputs("lambda/function:Function", FUNCTION)["environment"]["variables"] == {
        "OVERTIME_LEDGER_TABLE": outputs["ledger_table"],
        "OVERTIME_LEDGER_BUCKET": outputs["ledger_bucket"],
        "OVERTIME_OPEN_INDEX": "open",
        "OVERTIME_CLUSTER_ARN": outputs["cluster_arn"],
        "OVERTIME_FUNCTIONS_FILE": "functions.json",
        "POWERTOOLS_SERVICE_NAME": "watcher",
        "POWERTOOLS_METRICS_NAMESPACE": "overtime",
    }


def test_the_watcher_understands_it(deploy: Deploy, recorder: Recorder, tmp_path: Path) -> None:
    """The watcher's own code reads the environment and the table of functions that the program gives it."""
    functions: dict[str, dict[str, Any]] = {
        "report": {"attempts": 0, "max_task_attempts": 7, "destinations": {"on_success": QUEUE, "on_failure": TOPIC}},
        "sums": {},
    }
    deploy(functions)

    inputs = recorder.inputs("lambda/function:Function", FUNCTION)
    (tmp_path / "functions.json").write_text(inputs["code"].assets["functions.json"].text)
    config = Config.from_environ({**inputs["environment"]["variables"], "LAMBDA_TASK_ROOT": str(tmp_path)})
    assert config.open_index == "open"
    assert config.functions == {
        "overtime-test-report": FunctionSettings(
            function_arn=f"{LAMBDA}:overtime-test-report",
            queue_url=f"{SQS}/report-queue-0a1b2c3",
            parking_queue_url=f"{SQS}/report-parking-0a1b2c3",
            lambda_attempts=0,
            max_task_attempts=7,
            on_success=QUEUE,
            on_failure=TOPIC,
        ),
        "overtime-test-sums": FunctionSettings(
            function_arn=f"{LAMBDA}:overtime-test-sums",
            queue_url=f"{SQS}/sums-queue-0a1b2c3",
            parking_queue_url=f"{SQS}/sums-parking-0a1b2c3",
            lambda_attempts=3,
            max_task_attempts=3,
        ),
    }


def test_index(deploy: Deploy, recorder: Recorder) -> None:
    """The index that the watcher reads is one of the table."""
    deploy()

    variables = recorder.inputs("lambda/function:Function", FUNCTION)["environment"]["variables"]
    indexes = recorder.inputs("Table", "overtime-ledger-runs")["globalSecondaryIndexes"]
    assert [index["name"] for index in indexes] == [variables["OVERTIME_OPEN_INDEX"]]


def test_stopped_tasks(deploy: Deploy, recorder: Recorder) -> None:
    """It is called for tasks of this cluster that have stopped, and for nothing else of ECS."""
    outputs = deploy()

    rule = recorder.inputs("EventRule", f"{RULES}-stopped")
    assert "scheduleExpression" not in rule
    assert json.loads(rule["eventPattern"]) == {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [outputs["cluster_arn"]], "lastStatus": ["STOPPED"]},
    }


def test_clock(deploy: Deploy, recorder: Recorder) -> None:
    """Every five minutes it holds the ledger against the cluster."""
    deploy()

    rule = recorder.inputs("EventRule", f"{RULES}-clock")
    assert "eventPattern" not in rule
    assert rule["scheduleExpression"] == "rate(5 minutes)"


@pytest.mark.parametrize("noun", ["stopped", "clock"])
def test_calls(noun: str, deploy: Deploy, recorder: Recorder) -> None:
    """A rule may call the watcher, it alone; a stopped task that cannot be told of stays on the dead-letter queue.

    The clock's call is neither repeated nor kept, since the next one makes up for it.
    """
    deploy()

    letters = "arn:aws:sqs:eu-west-1:123456789012:overtime-watcher-dead-letters-0a1b2c3"
    undelivered: dict[str, dict[str, object]] = {
        "stopped": {"deadLetterConfig": {"arn": letters}},
        "clock": {"retryPolicy": {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 300}},
    }
    assert recorder.inputs("Permission", f"{RULES}-{noun}-permission") == {
        "function": "overtime-test-watcher",
        "action": "lambda:InvokeFunction",
        "principal": "events.amazonaws.com",
        "sourceArn": f"arn:aws:events:eu-west-1:123456789012:rule/{RULES}-{noun}-0a1b2c3",
    }
    assert recorder.inputs("EventTarget", f"{RULES}-{noun}-target") == {
        "rule": f"{RULES}-{noun}-0a1b2c3",
        "arn": f"{LAMBDA}:overtime-test-watcher",
        **undelivered[noun],
    }


def test_order(deploy: Deploy, recorder: Recorder) -> None:
    """Permissions and log group are there before the function, the right to call before the target."""
    deploy()

    assert {"overtime-watcher-permissions", "overtime-watcher-logs"} <= before(
        recorder, "lambda/function:Function", FUNCTION
    )
    for noun in ("stopped", "clock"):
        assert f"{RULES}-{noun}-permission" in before(recorder, "EventTarget", f"{RULES}-{noun}-target")
    assert f"{RULES}-dead-letters" in before(recorder, "EventTarget", f"{RULES}-stopped-target")


def test_dead_letters(deploy: Deploy, recorder: Recorder) -> None:
    """What it could not be called with stays for 14 days, encrypted."""
    deploy()

    assert recorder.inputs("Queue", "overtime-watcher-dead-letters") == {
        "messageRetentionSeconds": 1_209_600,
        "maxMessageSize": 1_048_576,
        "sqsManagedSseEnabled": True,
    }


def test_log_group(deploy: Deploy, recorder: Recorder) -> None:
    """Its log is kept as long as the others."""
    outputs = deploy(retention={"logs_days": 7})

    logs = recorder.inputs("LogGroup", "overtime-watcher-logs")
    assert logs == {"name": "/aws/lambda/overtime-test-watcher", "retentionInDays": 7}
    assert outputs["watcher"]["log_group"] == "/aws/lambda/overtime-test-watcher"
