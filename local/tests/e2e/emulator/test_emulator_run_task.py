"""RunTask, images, faults on order and the end of everything, in the emulator."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import Emulator, EmulatorSettings
from local.emulator.testkit import Aws
from local.stack import with_containers

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.base_images import BaseImage
    from local.docker_daemon import ContainerEngine

pytestmark = pytest.mark.e2e


def test_client_token(aws: Aws, run: Callable[..., str]) -> None:
    """The same token starts nothing new; with other parameters it is a conflict that names the task."""
    run("pass")
    call = {"cluster": "c", "taskDefinition": "t", "launchType": "FARGATE", "clientToken": "token"}
    [first] = aws.ecs.run_task(**call)["tasks"]
    [second] = aws.ecs.run_task(**call)["tasks"]
    assert first["taskArn"] == second["taskArn"]
    with pytest.raises(ClientError, match="ConflictException") as refused:
        aws.ecs.run_task(**call, startedBy="another")
    assert dict(refused.value.response)["resourceIds"] == [first["taskArn"]]
    aws.stopped(first["taskArn"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cluster": "none"}, "ClusterNotFoundException"),
        ({"overrides": {"containerOverrides": [{"name": "other"}]}}, "container named other is not a container"),
        ({"overrides": {"containerOverrides": [{"name": "main", "command": ["x" * 8192]}]}}, "at most 8192"),
    ],
)
def test_run_task_is_checked(aws: Aws, run: Callable[..., str], changes: dict[str, Any], message: str) -> None:
    """What ECS refuses is refused before anything starts."""
    aws.stopped(run("pass"))
    with pytest.raises(ClientError, match=message):
        aws.ecs.run_task(**{"cluster": "c", "taskDefinition": "t", "launchType": "FARGATE", **changes})


def test_run_task_needs_its_permissions(aws: Aws, run: Callable[..., str]) -> None:
    """RunTask is allowed on the family's revision, and the caller must be allowed to pass the task's roles."""
    aws.stopped(run("pass"))
    account = aws.emulator.settings.account_id
    role = aws.role("starter", "logs:*")
    code = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    try:\n"
        "        boto3.client('ecs').run_task(cluster='c', taskDefinition='t', launchType='FARGATE')\n"
        "    except Exception as error:\n"
        "        return str(error)\n"
    )
    aws.function("starter", role, code, Timeout=20)

    def start(*statements: dict[str, Any]) -> str:
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}
        aws.iam.put_role_policy(RoleName="starter", PolicyName="p", PolicyDocument=json.dumps(policy))
        answer: str = json.load(aws.functions.invoke(FunctionName="starter")["Payload"])
        return answer

    cluster = f"arn:aws:ecs:eu-west-1:{account}:cluster/c"
    run_task = {
        "Action": "ecs:RunTask",
        "Resource": f"arn:aws:ecs:eu-west-1:{account}:task-definition/t:*",
        "Condition": {"ArnEquals": {"ecs:cluster": cluster}},
    }
    pass_role = {
        "Action": "iam:PassRole",
        "Resource": [aws.role_arn("task"), aws.role_arn("execution")],
        "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    }
    elsewhere = {**run_task, "Condition": {"ArnEquals": {"ecs:cluster": cluster.replace("/c", "/d")}}}
    assert "not authorized to perform: ecs:RunTask" in start(elsewhere, pass_role)
    assert "not authorized to perform: iam:PassRole" in start(run_task)
    assert start(run_task, pass_role) is None
    used = {(call.action, call.status) for call in aws.emulator.calls() if call.role == "starter"}
    assert {("ecs:RunTask", 200), ("iam:PassRole", 200), ("iam:PassRole", 403)} <= used


def test_image_by_digest_with_the_execution_role(
    aws: Aws, docker: ContainerEngine, base: BaseImage, run: Callable[..., str]
) -> None:
    """What is pushed can be described and run by digest; without its permission the execution role cannot pull."""
    uri = aws.ecr.create_repository(repositoryName="team/runner")["repository"]["repositoryUri"]
    cli = ["docker", "--host", docker.host]
    subprocess.run([*cli, "tag", base.reference, f"{uri}:1"], check=True)
    subprocess.run([*cli, "push", "--quiet", f"{uri}:1"], check=True, capture_output=True)
    subprocess.run([*cli, "rmi", f"{uri}:1"], check=True, capture_output=True)
    [image] = aws.ecr.describe_images(repositoryName="team/runner")["imageDetails"]
    assert image["imageTags"] == ["1"]
    assert image["imageSizeInBytes"] > 10_000_000
    reference = f"{uri}@{image['imageDigest']}"
    assert aws.stopped(run("pass", image=reference))["containers"][0]["exitCode"] == 0
    aws.allow("execution", "ecr:GetAuthorizationToken", "logs:*")
    try:
        refused = aws.stopped(run("pass", image=reference))
    finally:
        aws.allow("execution", "ecr:*", "logs:*")
    assert refused["stopCode"] == "TaskFailedToStart"
    assert refused["stoppedReason"].startswith("CannotPullContainerError: ")
    assert "is not authorized to perform: ecr:BatchGetImage" in refused["stoppedReason"]


def test_an_image_that_is_not_there(aws: Aws, run: Callable[..., str]) -> None:
    """The task fails to start, and says that the image could not be pulled."""
    host = aws.emulator.endpoint.removeprefix("http://")
    ended = aws.stopped(run("pass", image=f"{host}/no-such:1"))
    assert ended["stoppedReason"].startswith(f"CannotPullContainerError: failed to resolve ref {host}/no-such:1")


def test_faults_on_order(aws: Aws, run: Callable[..., str]) -> None:
    """A rule answers in place of ECS as often as it says; with `after` the call is carried out all the same."""
    aws.stopped(run("pass"))
    call = {"cluster": "c", "taskDefinition": "t", "launchType": "FARGATE"}
    failures = [{"reason": "RESOURCE:FARGATE"}]
    lost = {"__type": "ServerException", "message": "lost"}
    aws.emulator.set_faults(
        [
            {
                "service": "ecs",
                "action": "RunTask",
                "contains": '"t"',
                "times": 1,
                "respond": {"status": 200, "body": {"tasks": [], "failures": failures}},
            },
            {"action": "RunTask", "times": 1, "after": True, "respond": {"status": 400, "body": lost}},
        ]
    )
    assert aws.ecs.run_task(**call)["failures"] == failures
    with pytest.raises(ClientError, match=r"ServerException.*lost"):
        aws.ecs.run_task(**call, clientToken="lost")
    [task] = aws.ecs.run_task(**call, clientToken="lost")["tasks"]
    began = aws.ecs.list_tasks(cluster="c", desiredStatus="RUNNING")["taskArns"]
    assert set(began) <= {task["taskArn"]}
    aws.stopped(task["taskArn"])


def test_nothing_is_left(docker: ContainerEngine, base: BaseImage, tmp_path_factory: pytest.TempPathFactory) -> None:
    """When the emulator ends, so do its workers, containers and image names."""
    folder = tmp_path_factory.mktemp("brief")
    settings = with_containers(EmulatorSettings(state_folder=folder), docker, base)
    with Emulator(settings) as emulator:
        aws = Aws(emulator)
        aws.function("busy", aws.role("r"), "import time\ndef handler(event, context): time.sleep(600)", Timeout=600)
        aws.functions.invoke(FunctionName="busy", InvocationType="Event")
        aws.ecs.create_cluster(clusterName="c")
        container = {"name": "main", "image": base.reference, "entryPoint": ["sleep"], "command": ["600"]}
        aws.ecs.register_task_definition(family="t", containerDefinitions=[container])
        task = aws.ecs.run_task(cluster="c", taskDefinition="t")["tasks"][0]["taskArn"]
        aws.described(task, lambda found: found["lastStatus"] == "RUNNING")
        process = emulator.pid
    cli = ["docker", "--host", docker.host]
    listed = subprocess.run(
        [*cli, "ps", "--all", "--quiet", "--filter", f"label=com.amazonaws.ecs.task-arn={task}"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert not listed
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    workers = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, check=False, text=True).stdout
    assert not workers
