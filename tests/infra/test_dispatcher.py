from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from overtime.components.documents import written
from overtime.contract.capacity import Capacity
from overtime.contract.task import CONTAINER_NAME
from overtime.lambdas.dispatcher.config import Config

if TYPE_CHECKING:
    from typing import Any

    from tests.infra.conftest import Deploy
    from tests.infra.recording import Recorder

SUBNETS = {"subnet_ids": ["subnet-0a", "subnet-0b"], "security_group_ids": ["sg-0a", "sg-0b"]}


def variables(recorder: Recorder, name: str = "report") -> dict[str, str]:
    found: dict[str, str] = recorder.inputs("Function", f"{name}-dispatcher-function")["environment"]["variables"]
    return found


def test_function(deploy: Deploy, recorder: Recorder) -> None:
    """The dispatcher is a small function with a forced name, whose timeout the queue knows."""
    outputs = deploy()

    inputs = recorder.inputs("Function", "report-dispatcher-function")
    shape = {key: value for key, value in inputs.items() if key not in {"code", "environment"}}
    assert shape == {
        "name": "overtime-test-report-dispatcher",
        "role": "arn:aws:iam::123456789012:role/report-dispatcher-role-0a1b2c3",
        "handler": "overtime.lambdas.dispatcher.handler.handler",
        "runtime": "python3.13",
        "architectures": ["x86_64"],
        "timeout": 60,
        "memorySize": 512,
    }
    assert outputs["functions"]["report"]["dispatcher_name"] == "overtime-test-report-dispatcher"


def test_environment(deploy: Deploy, recorder: Recorder) -> None:
    """The dispatcher is told every name that it works with."""
    outputs = deploy({"report": {"rescue": ["timeout"], "attempts": 2}}, retention={"runs_days": 20})

    assert variables(recorder) == {
        "OVERTIME_FUNCTION_NAME": "overtime-test-report",
        "OVERTIME_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:overtime-test-report",
        "OVERTIME_LEDGER_TABLE": outputs["ledger_table"],
        "OVERTIME_LEDGER_BUCKET": outputs["ledger_bucket"],
        "OVERTIME_RUNS_DAYS": "20",
        "OVERTIME_RUN_TASK": written(
            {
                "cluster": outputs["cluster_arn"],
                "taskDefinition": "overtime-test-report",
                "propagateTags": "TASK_DEFINITION",
                "enableECSManagedTags": True,
                "networkConfiguration": {
                    "awsvpcConfiguration": {
                        "subnets": ["subnet-1", "subnet-2"],
                        "securityGroups": ["overtime-network-tasks-0a1b2c3-id"],
                        "assignPublicIp": "ENABLED",
                    }
                },
            }
        ),
        "OVERTIME_RESCUE": "timeout",
        "OVERTIME_ATTEMPTS": "2",
        "OVERTIME_CAPACITY": "on_demand",
        "OVERTIME_MAX_CONCURRENT_RUNS": "20",
        "OVERTIME_QUEUE_URL": outputs["functions"]["report"]["queue_url"],
        "OVERTIME_PARKING_QUEUE_URL": outputs["functions"]["report"]["parking_queue_url"],
        "OVERTIME_MAX_RECEIVE_COUNT": "5",
        "POWERTOOLS_SERVICE_NAME": "dispatcher",
        "POWERTOOLS_METRICS_NAMESPACE": "overtime",
    }


def test_the_handler_understands_it(deploy: Deploy, recorder: Recorder) -> None:
    """The dispatcher's own code reads the environment that the program gives it."""
    deploy({"report": {"rescue": "any"}}, network=SUBNETS)

    config = Config.from_environ(variables(recorder))
    assert config.function_name == "overtime-test-report"
    assert config.run_task["networkConfiguration"] == {
        "awsvpcConfiguration": {
            "subnets": ["subnet-0a", "subnet-0b"],
            "securityGroups": ["sg-0a", "sg-0b"],
            "assignPublicIp": "DISABLED",
        }
    }


@pytest.mark.parametrize(
    ("settings", "most", "capacity"),
    [
        ({}, 20, Capacity.ON_DEMAND),
        ({"max_concurrent_runs": 3}, 3, Capacity.ON_DEMAND),
        ({"max_concurrent_runs": None, "task": {"capacity": "spot"}}, None, Capacity.SPOT),
    ],
)
def test_limits(
    settings: dict[str, Any], most: int | None, capacity: Capacity, deploy: Deploy, recorder: Recorder
) -> None:
    """The dispatcher counts runs only where there is a limit, and asks for Spot only where it is wanted."""
    deploy({"report": settings})

    config = Config.from_environ(variables(recorder))
    assert (config.max_concurrent_runs, config.capacity) == (most, capacity)
    assert config.queue_url == "https://sqs.eu-west-1.amazonaws.com/123456789012/report-queue-0a1b2c3"


def test_capacity_is_there_first(deploy: Deploy, recorder: Recorder) -> None:
    """No task is asked for before the cluster has the capacity that it asks for."""
    deploy()

    before = {urn.rpartition("::")[2] for urn in recorder.one("Function", "report-dispatcher-function").after}
    assert "overtime-capacity" in before


def test_container_name(deploy: Deploy, recorder: Recorder) -> None:
    """The dispatcher overrides the container that the task definition has."""
    deploy()

    assert recorder.container("report-task-definition")["name"] == CONTAINER_NAME
    family = recorder.inputs("TaskDefinition", "report-task-definition")["family"]
    assert Config.from_environ(variables(recorder)).run_task["taskDefinition"] == family


def test_event_source(deploy: Deploy, recorder: Recorder) -> None:
    """Batches come from the failure queue; records that fail come back by themselves; few batches run at once."""
    deploy()

    assert recorder.inputs("EventSourceMapping", "report-dispatcher-source") == {
        "eventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:report-queue-0a1b2c3",
        "functionName": "overtime-test-report-dispatcher",
        "batchSize": 10,
        "functionResponseTypes": ["ReportBatchItemFailures"],
        "scalingConfig": {"maximumConcurrency": 5},
    }


def test_records_may_come_back(deploy: Deploy, recorder: Recorder) -> None:
    """Each dispatcher may be called by what it sends to its own queue, before the first record comes."""
    deploy({"report": {}, "sums": {}})

    for key in ("report", "sums"):
        assert recorder.inputs("FunctionRecursionConfig", f"{key}-dispatcher-recursion") == {
            "functionName": f"overtime-test-{key}-dispatcher",
            "recursiveLoop": "Allow",
        }
        before = {
            urn.rpartition("::")[2] for urn in recorder.one("EventSourceMapping", f"{key}-dispatcher-source").after
        }
        assert f"{key}-dispatcher-recursion" in before
    assert len(recorder.all("FunctionRecursionConfig")) == 2


def test_no_record_before_a_task_can_start(deploy: Deploy, recorder: Recorder) -> None:
    """The mapping comes last: the definition, the runner's permissions and the dispatcher's own are there before."""
    deploy()

    def before(suffix: str, name: str) -> set[str]:
        return {urn.rpartition("::")[2] for urn in recorder.one(suffix, name).after}

    source = before("EventSourceMapping", "report-dispatcher-source")
    assert {
        "report-dispatcher-function",
        "report-task-definition",
        "report-task-runner",
        "report-task-execution-permissions",
    } <= source
    assert "report-dispatcher-permissions" in before("Function", "report-dispatcher-function")
    assert "report-dispatcher-logs" in before("Function", "report-dispatcher-function")


def test_log_group(deploy: Deploy, recorder: Recorder) -> None:
    """The dispatcher's log is kept as long as the function's."""
    deploy(retention={"logs_days": 7})

    logs = recorder.inputs("LogGroup", "report-dispatcher-logs")
    assert logs == {"name": "/aws/lambda/overtime-test-report-dispatcher", "retentionInDays": 7}


def test_two_functions(deploy: Deploy, recorder: Recorder) -> None:
    """Each function has a dispatcher of its own that knows nothing of the other."""
    functions: dict[str, dict[str, Any]] = {"report": {"rescue": "any", "attempts": 1}, "sums": {}}
    deploy(functions)

    report, sums = variables(recorder), variables(recorder, "sums")
    assert (report["OVERTIME_RESCUE"], report["OVERTIME_ATTEMPTS"]) == ("any", "1")
    assert (sums["OVERTIME_RESCUE"], sums["OVERTIME_ATTEMPTS"]) == ("timeout,out_of_memory", "3")
    assert "sums" not in repr(report)
    assert "report" not in repr(sums)
