"""ECS and Lambda in the emulator refuse what they refuse on AWS."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.emulator.testkit import Aws

pytestmark = pytest.mark.e2e

IDLE = "def handler(event, context):\n    return None\n"
NOBODYS = "0123456789abcdef0123456789abcdef"
LENGTH = r"InvalidParameterException.*taskId length should be one of \[32,36\]"


def test_a_malformed_task_id_is_refused_and_an_unknown_one_is_missing(aws: Aws) -> None:
    """One id of another length fails the whole DescribeTasks, and StopTask; a well-formed one is nobody's."""
    found = aws.ecs.describe_tasks(cluster="c", tasks=[NOBODYS])
    assert [failure["reason"] for failure in found["failures"]] == ["MISSING"]
    with pytest.raises(ClientError, match=LENGTH):
        aws.ecs.describe_tasks(cluster="c", tasks=[NOBODYS, "gone"])
    with pytest.raises(ClientError, match=LENGTH):
        aws.ecs.stop_task(cluster="c", task="gone")
    with pytest.raises(ClientError, match="The referenced task was not found"):
        aws.ecs.stop_task(cluster="c", task=NOBODYS)


def test_a_cluster_goes_when_its_tasks_have_stopped(aws: Aws, run: Callable[..., str]) -> None:
    """DeleteCluster is refused from the task's start until it is STOPPED; other clusters' tasks do not count."""
    aws.ecs.create_cluster(clusterName="leaving")
    call = {"launchType": "FARGATE", "cluster": "leaving"}
    task = run("import time; time.sleep(60)", call=call, stopTimeout=2)

    def delete() -> None:
        aws.ecs.delete_cluster(cluster="leaving")

    with pytest.raises(ClientError, match=r"ClusterContainsTasksException.*while Tasks are active"):
        delete()
    aws.described(task, lambda found: found["lastStatus"] == "RUNNING", cluster="leaving")
    with pytest.raises(ClientError, match="ClusterContainsTasksException"):
        delete()
    staying = run("import time; time.sleep(60)", stopTimeout=2)
    aws.ecs.stop_task(cluster="leaving", task=task)
    with pytest.raises(ClientError, match="ClusterContainsTasksException"):
        delete()
    aws.described(task, lambda found: found["lastStatus"] == "STOPPED", cluster="leaving")
    delete()
    assert aws.ecs.describe_clusters(clusters=["leaving"])["clusters"] == []
    aws.ecs.stop_task(cluster="c", task=staying)
    aws.stopped(staying)


def test_code_over_50_mb_does_not_fit_into_a_request(aws: Aws) -> None:
    """CreateFunction and UpdateFunctionCode refuse it by name, and the function stays as it was."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", IDLE)
        archive.writestr("data", os.urandom(51 * 1024 * 1024))
    code = packed.getvalue()
    text = "RequestEntityTooLargeException.*Request must be smaller than 70167211 bytes for the {} operation"
    with pytest.raises(ClientError, match=text.format("CreateFunction")):
        aws.functions.create_function(
            FunctionName="large",
            Role=aws.role_arn("fn"),
            Runtime="python3.13",
            Handler="app.handler",
            Code={"ZipFile": code},
        )
    aws.function("large", aws.role_arn("fn"), IDLE)
    before = aws.functions.get_function_configuration(FunctionName="large")["CodeSha256"]
    with pytest.raises(ClientError, match=text.format("UpdateFunctionCode")):
        aws.functions.update_function_code(FunctionName="large", ZipFile=code)
    assert aws.functions.get_function_configuration(FunctionName="large")["CodeSha256"] == before


def test_a_variables_name_begins_with_a_letter(aws: Aws) -> None:
    """A function is neither made nor changed with a variable whose name Lambda does not take."""
    wrong = {"Variables": {"_TOKEN": "1"}}
    text = r"ValidationException.*Map keys must satisfy constraint: .*\[a-zA-Z\]\(\[a-zA-Z0-9_\]\)\+"
    with pytest.raises(ClientError, match=text):
        aws.function("variables", aws.role_arn("fn"), IDLE, Environment=wrong)
    aws.function("variables", aws.role_arn("fn"), IDLE, Environment={"Variables": {"TOKEN": "1"}})
    with pytest.raises(ClientError, match=text):
        aws.functions.update_function_configuration(FunctionName="variables", Environment=wrong)
    kept = aws.functions.get_function_configuration(FunctionName="variables")["Environment"]["Variables"]
    assert kept == {"TOKEN": "1"}
